"""The whole configuration: the keys of a file, and the ``Config`` that the program uses."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from homey_tokend.config.field_types import LIST, SECTION, Section, UrlOrAuto, text
from homey_tokend.config.secrets import SecretField, TotpField
from homey_tokend.config.sections import (
    AllowConfig,
    EndpointsDocument,
    HttpConfig,
    LogConfig,
    RefreshConfig,
    RetryConfig,
    SocketConfig,
    StateConfig,
)
from homey_tokend.config.sinks import (
    ExecSinkConfig,
    FileSinkConfig,
    LogicVariableConfig,
    SinkConfig,
)
from homey_tokend.core.errors import ConfigFault
from homey_tokend.core.http_types import Endpoints


class HomeyDocument(Section):
    """One Homey: its account and API client, its address, and the sinks of its token."""

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
        text(
            r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s#\x00-\x1f\x7f]+$",
            "a URL without a fragment",
            "Write it exactly as it is registered for the API client.",
        ),
    ] = Field(
        default="http://localhost",
        max_length=4096,
        description="The API client's callback URL, exactly as registered. It is never opened.",
        examples=["http://localhost"],
    )
    cloudid: Annotated[
        str,
        # It becomes part of a host name.
        text(
            "^[A-Za-z0-9][A-Za-z0-9-]{0,62}$",
            "a cloud id",
            "Copy the Homey's id: letters and digits without blanks.",
        ),
    ] = Field(description="The Homey's cloud id.", examples=["your-cloudid"])
    totp_secret: TotpField = Field(
        default=None,
        description="For accounts with two-factor authentication: the base32 secret.",
        examples=[{"credential": "totp"}],
    )
    url: UrlOrAuto = Field(
        default=None,
        description="auto: the address according to the account. Else the Homey's base URL, such as the local one.",
        examples=["auto", "https://192-0-2-7.homey.homeylocal.com"],
        json_schema_extra={"default": "auto"},
    )
    sinks: Annotated[tuple[SinkConfig, ...], LIST] = Field(
        default=(),
        description="Where each new token is written.",
        examples=[[{"type": "logic_variable", "name": "accesstoken", "create": True}]],
    )


class HomeyConfig(HomeyDocument):
    """One Homey with the name that scripts use. If ``url`` is None, it is discovered."""

    name: str


_HomeyName = Annotated[
    str,
    text(
        "^[a-z0-9-]{1,32}$",
        "a name of 1 to 32 lower-case letters, digits and dashes",
        "Choose a name such as home; scripts use it.",
    ),
]


class ConfigDocument(Section):
    """The configuration of homey-tokend."""

    homeys: dict[_HomeyName, HomeyDocument] = Field(
        min_length=1,
        json_schema_extra={"additionalProperties": False},
        description="The Homeys to keep a token for, by the name that scripts use.",
        examples=[{"home": {"email": "you@example.com"}}],
    )
    refresh: Annotated[RefreshConfig, SECTION] = Field(
        default=RefreshConfig(),
        description="When a token is refreshed, and how.",
        examples=[{"at": 0.5}],
    )
    socket: Annotated[SocketConfig, SECTION] = Field(
        default=SocketConfig(),
        description="The unix socket that serves the token.",
        examples=[{"mode": "0660"}],
    )
    http: Annotated[HttpConfig, SECTION] = Field(
        default=HttpConfig(),
        description="The optional TCP port. It never serves a token.",
        examples=[{"listen": "127.0.0.1:9464"}],
    )
    state: StateConfig = Field(
        default=StateConfig(),
        description="What is kept across restarts.",
        examples=[{"path": "/var/lib/homey-tokend/state.json"}],
    )
    log: Annotated[LogConfig, SECTION] = Field(
        default=LogConfig(), description="What is logged.", examples=[{"level": "info"}]
    )
    endpoints: Annotated[EndpointsDocument, SECTION] = Field(
        default=EndpointsDocument(),
        description="The three hosts; only changed for a simulator.",
        examples=[{"api": "https://api.athom.com"}],
    )


#: The models by their place; ``*`` is any name or index, and sinks differ by type.
SECTIONS: dict[tuple[str, ...], type[Section]] = {
    (): ConfigDocument,
    ("homeys", "*"): HomeyDocument,
    ("homeys", "*", "sinks", "*", "logic_variable"): LogicVariableConfig,
    ("homeys", "*", "sinks", "*", "file"): FileSinkConfig,
    ("homeys", "*", "sinks", "*", "exec"): ExecSinkConfig,
    ("refresh",): RefreshConfig,
    ("refresh", "retry"): RetryConfig,
    ("socket",): SocketConfig,
    ("socket", "allow"): AllowConfig,
    ("socket", "allow_api"): AllowConfig,
    ("http",): HttpConfig,
    ("state",): StateConfig,
    ("log",): LogConfig,
    ("endpoints",): EndpointsDocument,
}


@dataclass(frozen=True, slots=True)
class DefaultPaths:
    """The default paths of socket and state, which depend on the machine."""

    socket: Path = Path("/run/homey-tokend/homey-tokend.sock")
    state: Path = Path("/var/lib/homey-tokend/state.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration: checked and frozen; no file in it has been opened yet.

    ``homeys`` keeps the order of the file. ``warnings`` are for a person; ``source``
    is the file's path, or "environment".
    """

    homeys: Mapping[str, HomeyConfig]
    refresh: RefreshConfig
    socket: SocketConfig
    http: HttpConfig
    state: StateConfig
    log: LogConfig
    endpoints: Endpoints
    warnings: tuple[ConfigFault, ...] = ()
    source: str = ""

    def has_token_in_variable(self, name: str) -> bool:
        """Return whether a sink writes a token to a logic variable of the Homey of this name.

        Several entries may be one Homey, by its cloudid. Of one that a reload is about to remove
        it is not known any more, and so assumed.
        """
        homey = self.homeys.get(name)
        return homey is None or any(
            isinstance(sink, LogicVariableConfig)
            for other in self.homeys.values()
            if other.cloudid.lower() == homey.cloudid.lower()
            for sink in other.sinks
        )
