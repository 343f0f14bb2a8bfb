"""The first configuration contains the answers unchanged."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homey_tokend.cli.setup.draft import Draft
from homey_tokend.config import DefaultPaths, LogicVariableConfig, parse
from homey_tokend.core.secret import Secret, SecretRef, SecretSource
from homey_tokend.core.value_text import defect

PRINTABLE = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40)
SECRETS: dict[str, Path | str] = {
    "password": Path("/etc/x/it's a password"),
    "client_secret": "homey_client_secret",
}
#: What is an accident in a value is rejected when it is asked for.
VALUE = PRINTABLE.filter(lambda text: defect(text) is None)


@given(email=VALUE, client_id=VALUE, name=PRINTABLE, variable=PRINTABLE)
def test_it_is_read_back(email: str, client_id: str, name: str, variable: str) -> None:
    """Quotes, colons, hashes and braces do not act as YAML."""
    made = Draft(
        email=email,
        client_id=client_id,
        redirect_url="http://localhost",
        secrets=SECRETS,
        cloudid="c0ffee",
        homey_name=name,
        variable=variable,
    )
    config = parse(made.text().encode(), "config.yaml", defaults=DefaultPaths(), environ={})
    (homey,) = config.homeys.values()
    (sink,) = homey.sinks

    found = (homey.email.plain, homey.client_id.plain, homey.cloudid)
    assert (Secret(email), Secret(client_id), "c0ffee") == found
    assert SecretRef(SecretSource.FILE, argument="/etc/x/it's a password") == homey.password
    assert SecretRef(SecretSource.CREDENTIAL, argument="homey_client_secret") == homey.client_secret
    assert isinstance(sink, LogicVariableConfig)
    assert (unicodedata.normalize("NFC", variable), True) == (sink.name, sink.create)
    assert homey.totp_secret is None


@pytest.mark.parametrize("one_time", [None, "homey_totp_secret"])
def test_optional_parts(one_time: str | None) -> None:
    """Without a variable, a name or endpoints, none is written."""
    more: dict[str, Path | str] = {"totp_secret": one_time} if one_time else {}
    made = Draft(
        email="a@example.com",
        client_id="i",
        redirect_url="http://localhost",
        secrets=SECRETS | more,
        cloudid="c0ffee",
    )
    config = parse(made.text().encode(), "config.yaml", defaults=DefaultPaths(), environ={})
    (homey,) = config.homeys.values()

    assert () == tuple(homey.sinks)
    assert bool(one_time) is (homey.totp_secret is not None)
    assert "https://api.athom.com" == config.endpoints.api
