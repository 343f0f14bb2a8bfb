"""One Homey as the configuration file describes it: its sign-in values and its sinks."""

from typing import Annotated

from pydantic import Field, WithJsonSchema

from homey_tokend.config.fields import WRITTEN, HomeyUrl
from homey_tokend.config.readers import leaf, text
from homey_tokend.config.secrets import SecretField, TotpField
from homey_tokend.config.sections import LIST_OR_EMPTY, Section
from homey_tokend.config.sinks import SinkConfig

#: It becomes part of a host name.
_CLOUDID = r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"
_REDIRECT = r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#\x00-\x1f\x7f]+"


class HomeyDocument(Section):
    """The six values of the guide, how the Homey is reached, and where its token goes."""

    email: SecretField = Field(
        description="The account's e-mail address.", examples=["you@example.com"]
    )
    password: SecretField = Field(
        description="The account's password.", examples=[{"file": "/etc/homey-tokend/password"}]
    )
    client_id: SecretField = Field(description="The API client's id.", examples=["your-client-id"])
    client_secret: SecretField = Field(
        description="The API client's secret.", examples=[{"env": "HOMEY_CLIENT_SECRET"}]
    )
    redirect_url: Annotated[
        str,
        leaf(
            text(
                "a URL without a fragment",
                _REDIRECT,
                "Write it exactly as it is registered for the API client.",
            )
        ),
        WithJsonSchema({"type": "string", "pattern": f"^{_REDIRECT}$"}),
    ] = Field(
        default="http://localhost",
        description="The API client's callback URL, exactly as registered. It is never opened.",
        examples=["http://localhost"],
    )
    cloudid: Annotated[
        str,
        leaf(
            text("a cloud id", _CLOUDID, "Copy the Homey's id: letters and digits without blanks.")
        ),
        WithJsonSchema({"type": WRITTEN, "pattern": f"^{_CLOUDID}$"}),
    ] = Field(description="The Homey's cloud id.", examples=["your-cloudid"])
    totp_secret: TotpField = Field(
        default=None,
        description="For accounts with two-factor authentication: the base32 secret.",
        examples=[{"credential": "totp"}],
    )
    url: HomeyUrl = Field(
        default=None,
        description="auto: what the account names. Else the Homey's base URL, a local one say.",
        examples=["auto", "https://192-0-2-7.homey.homeylocal.com"],
        json_schema_extra={"default": "auto"},
    )
    sinks: Annotated[tuple[SinkConfig, ...], LIST_OR_EMPTY] = Field(
        default=(),
        description="Where each fresh token is written.",
        examples=[[{"type": "logic_variable", "name": "accesstoken", "create": True}]],
    )


class HomeyConfig(HomeyDocument):
    """One Homey with the name that scripts use. ``url`` None: found by itself."""

    name: str
