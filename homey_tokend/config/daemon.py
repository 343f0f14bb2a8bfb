"""The daemon itself: the sections ``socket``, ``http``, ``state``, ``log`` and ``endpoints``."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from homey_tokend.config.fields import (
    Account,
    AccountOrNull,
    HomeyEndpoint,
    Listen,
    Mode,
    SocketPath,
    StatePath,
    Url,
)
from homey_tokend.config.readers import choice, leaf
from homey_tokend.config.sections import LIST_OR_EMPTY, MAPPING_OR_EMPTY, MAPPING_OR_NONE, Section


class AllowConfig(Section):
    """Who may connect, beyond root and the daemon's own user; empty: whoever the mode lets in."""

    users: Annotated[tuple[Account, ...], LIST_OR_EMPTY] = Field(
        default=(), description="Users, by name or number.", examples=[["grafana", "1000"]]
    )
    groups: Annotated[tuple[Account, ...], LIST_OR_EMPTY] = Field(
        default=(), description="Groups, by name or number.", examples=[["smart-home"]]
    )


class SocketConfig(Section):
    """The unix socket that serves the token."""

    path: SocketPath = Field(
        default=Path("/run/homey-tokend/homey-tokend.sock"),
        description="Where the socket is. Default: homey-tokend.sock in $RUNTIME_DIRECTORY, "
        "/run/homey-tokend or $XDG_RUNTIME_DIR/homey-tokend.",
        examples=["/run/homey-tokend/homey-tokend.sock"],
    )
    mode: Mode = Field(
        default=0o660, description="The socket's file mode, octal.", examples=["0660"]
    )
    group: AccountOrNull = Field(
        default=None,
        description="The group that owns the socket, by name or number; null: the daemon's own.",
        examples=["smart-home"],
    )
    allow: Annotated[AllowConfig, MAPPING_OR_EMPTY] = Field(
        default=AllowConfig(),
        description="Who may connect. Empty: whoever the file mode lets in.",
        examples=[{"users": ["grafana"]}],
    )
    allow_api: Annotated[AllowConfig | None, MAPPING_OR_NONE] = Field(
        default=None,
        description="Who may use the forwarding door. Default: as allow; may be wider.",
        examples=[{"groups": ["smart-home"]}],
    )


class HttpConfig(Section):
    """The optional TCP door: health, metrics and a status page. Never a token."""

    listen: Listen = Field(
        default=None,
        description="host:port; port 0 takes a free one; null: no TCP at all.",
        examples=["127.0.0.1:9464"],
    )


class StateConfig(Section):
    """What is kept across restarts."""

    path: StatePath = Field(
        default=Path("/var/lib/homey-tokend/state.json"),
        description="The state file; null: keep nothing. Default: state.json in "
        "$STATE_DIRECTORY, /var/lib/homey-tokend or $XDG_STATE_HOME/homey-tokend.",
        examples=["/var/lib/homey-tokend/state.json", None],
    )


class LogConfig(Section):
    """What is logged. No secret at any level."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        leaf(choice("info", "debug", "warning", "error")),
        WithJsonSchema({"enum": ["debug", "info", "warning", "error"]}),
    ] = Field(default="info", description="The least level that is logged.", examples=["info"])
    format: Annotated[
        Literal["auto", "console", "json", "journal"],
        leaf(choice("auto", "console", "json", "journal")),
        WithJsonSchema({"enum": ["auto", "console", "json", "journal"]}),
    ] = Field(
        default="auto",
        description="auto: console on a terminal, journal under systemd, else JSON lines.",
        examples=["auto"],
    )


class EndpointsDocument(Section):
    """The three hosts; only changed for a simulator."""

    accounts: Url = Field(
        default="https://accounts.athom.com",
        description="Where the login is.",
        examples=["https://accounts.athom.com"],
    )
    api: Url = Field(
        default="https://api.athom.com",
        description="Where OAuth and the account are.",
        examples=["https://api.athom.com"],
    )
    homey: HomeyEndpoint = Field(
        default="https://{cloudid}.connect.athom.com",
        description="Where a Homey is reached through the cloud; {cloudid} may be absent.",
        examples=["https://{cloudid}.connect.athom.com"],
    )
