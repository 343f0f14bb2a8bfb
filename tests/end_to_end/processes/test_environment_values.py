"""Values with accidents of editors and tools cost no sign-in."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from homey_tokend.simulator import Simulator
from tests.end_to_end.processes.cloud import Clouds, sign_ins, until
from tests.end_to_end.processes.daemons import Daemons

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def variables(cloud: Simulator, folder: Path) -> dict[str, str]:
    """Return the environment of a container for this cloud."""
    description = cloud.description()
    (folder / "password").write_text(f"\ufeff{description['password']}\r\n\r\n", newline="")
    (folder / "password").chmod(0o600)
    return {
        "HOMEY_EMAIL": description["email"],
        "HOMEY_PASSWORD_FILE": str(folder / "password"),
        "HOMEY_CLIENT_ID": description["clientId"],
        "HOMEY_CLIENT_SECRET": description["clientSecret"],
        "HOMEY_REDIRECT_URL": description["redirectUri"],
        "HOMEY_CLOUDID": description["cloudid"],
        "HOMEY_TOKEND_SOCKET": str(folder / "d.sock"),
        "HOMEY_TOKEND_STATE": str(folder / "state.json"),
        **{
            f"HOMEY_TOKEND_ENDPOINT_{key.upper()}": description[key]
            for key in ("accounts", "api", "homey")
        },
    }


def crlf(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment as ``docker --env-file`` makes it of a file with CRLF."""
    return {name: f"{value}\r" for name, value in environ.items()}


def test_an_env_file_with_crlf(clouds: Clouds, daemons: Daemons) -> None:
    """A file with CRLF, and a password file with a byte-order mark and two newlines, sign in."""
    cloud, folder = clouds.start(), daemons.folder()
    daemon = daemons.run(folder, environ=crlf(variables(cloud, folder)))

    assert daemon.up().token()
    assert 1 == sign_ins(cloud)
    assert 0 == daemon.end()[0]


def test_quotes_of_an_env_file(clouds: Clouds, daemons: Daemons) -> None:
    """An e-mail address in quotes is reported by its variable, and no password is sent."""
    cloud, folder = clouds.start(), daemons.folder()
    environ = variables(cloud, folder)
    daemon = daemons.run(folder, environ=environ | {"HOMEY_EMAIL": f'"{environ["HOMEY_EMAIL"]}"'})
    daemon.up()
    until(lambda: daemon.status()["last_error"], "the fault is in the status")
    error = daemon.status()["last_error"]

    assert "secret_unavailable" == error["kind"]
    assert "the environment variable HOMEY_EMAIL is in quotes" in error["message"]
    assert 0 == sign_ins(cloud)
