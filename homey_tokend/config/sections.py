"""The sections besides ``homeys``: each key once, for the checks and for the JSON Schema."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from homey_tokend.config.field_types import (
    DURATION,
    LIST,
    LONG,
    NULLABLE,
    NUMBER,
    SECTION,
    Account,
    CloudidUrl,
    DurationOrOff,
    FilePath,
    HostName,
    Listen,
    Mode,
    Section,
    SocketPath,
    Timeout,
    Url,
    invalid_value,
)
from homey_tokend.core.timefmt import format_duration

#: The latest share of a lifetime for a refresh; the rest leaves time for a second try.
_MAX_SHARE = 0.95
_MIN_WAIT = timedelta(milliseconds=10)


class RetryConfig(Section):
    """Spacing of attempts, of a refresh and of each sink: exponential, with full jitter."""

    first: Annotated[timedelta, Field(ge=_MIN_WAIT, le=timedelta(hours=1)), DURATION] = Field(
        default=timedelta(seconds=1),
        description="The longest wait before the second attempt. 10ms to 1h.",
        examples=["1s"],
    )
    max: Annotated[timedelta, Field(ge=_MIN_WAIT, le=timedelta(hours=24)), DURATION] = Field(
        default=timedelta(minutes=5),
        description="The longest wait. 10ms to 24h, not below first.",
        examples=["5m"],
        validate_default=True,
    )

    @field_validator("max")
    @classmethod
    def _not_below_first(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        first = info.data.get("first", value)
        if value < first:
            raise invalid_value(
                f"{format_duration(value)} is below first, which is {format_duration(first)}",
                "Make max the larger one.",
            )
        return value


class RefreshConfig(Section):
    """When a token is refreshed, and how."""

    at: Annotated[float, Field(gt=0, le=_MAX_SHARE), NUMBER] = Field(
        default=0.5,
        description="Refresh when this share of the token's lifetime has passed. Above 0, at most 0.95.",
        examples=[0.5],
    )
    jitter: Annotated[float, Field(ge=0, le=_MAX_SHARE), NUMBER] = Field(
        default=0.05,
        description="The time is chosen at random once per token from [at - jitter, at]. Below at.",
        examples=[0.05],
        validate_default=True,
    )
    lifetime: Annotated[timedelta, LONG, DURATION] = Field(
        default=timedelta(hours=24),
        description="The token's lifetime if the Homey does not report its expiry. 1s to 365d.",
        examples=["24h"],
    )
    verify_every: DurationOrOff = Field(
        default=timedelta(minutes=15),
        description="How often the token is verified with the Homey. 1s to 365d; 0: never.",
        examples=["15m", 0],
    )
    retry: Annotated[RetryConfig, SECTION] = Field(
        default=RetryConfig(),
        description="Spacing of attempts. Retry-After is a lower bound, up to 1h.",
        examples=[{"first": "1s", "max": "5m"}],
    )
    timeout: Timeout = Field(
        default=timedelta(seconds=30),
        description="How long one HTTP request may take. 100ms to 10m.",
        examples=["30s"],
    )
    method: Literal["full", "refresh_token"] = Field(
        default="full",
        description="full: every step from the login on. refresh_token: the OAuth refresh token, "
        "with full as fallback.",
        examples=["full"],
    )

    @field_validator("jitter")
    @classmethod
    def _below_at(cls, value: float, info: ValidationInfo) -> float:
        at = info.data.get("at")
        if at is not None and value >= at:
            raise invalid_value(
                f"{value:g} is not below at, which is {at:g}", "Make jitter smaller than at."
            )
        return value


class AllowConfig(Section):
    """Who may connect, besides root and the daemon's user. Empty: the file mode alone decides."""

    users: Annotated[tuple[Account, ...], LIST] = Field(
        default=(), description="Users, by name or number.", examples=[["grafana", "1000"]]
    )
    groups: Annotated[tuple[Account, ...], LIST] = Field(
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
    group: Annotated[Account | None, NULLABLE] = Field(
        default=None,
        description="The group that owns the socket, by name or number; null: the daemon's own.",
        examples=["smart-home"],
    )
    allow: Annotated[AllowConfig, SECTION] = Field(
        default=AllowConfig(),
        description="Who may connect. Empty: the file mode alone decides.",
        examples=[{"users": ["grafana"]}],
    )
    allow_api: Annotated[AllowConfig | None, NULLABLE] = Field(
        default=None,
        description="Who may use the API proxy. Default: as allow; it may be wider. Users who are "
        "only here may not make calls that could show the token of a logic_variable sink.",
        examples=[{"groups": ["smart-home"]}],
    )


class HttpConfig(Section):
    """The optional TCP port with health, metrics and a status page. It never serves a token."""

    listen: Annotated[Listen | None, NULLABLE] = Field(
        default=None,
        description="Address and port; port 0 takes a free one; null: no TCP port.",
        examples=["127.0.0.1:9464"],
    )
    hosts: Annotated[tuple[HostName, ...], LIST] = Field(
        default=(),
        description="Names under which clients reach it, besides addresses, localhost and the "
        "machine's own name.",
        examples=[["metrics.example"]],
    )


class StateConfig(Section):
    """What is kept across restarts."""

    path: Annotated[FilePath | None, NULLABLE] = Field(
        default=Path("/var/lib/homey-tokend/state.json"),
        description="The state file; null: keep nothing. Default: state.json in "
        "$STATE_DIRECTORY, /var/lib/homey-tokend or $XDG_STATE_HOME/homey-tokend.",
        examples=["/var/lib/homey-tokend/state.json", None],
    )


class LogConfig(Section):
    """What is logged. No level shows a secret."""

    level: Literal["info", "debug", "warning", "error"] = Field(
        default="info", description="The lowest level that is logged.", examples=["info"]
    )
    format: Literal["auto", "console", "json", "journal"] = Field(
        default="auto",
        description="auto: console on a terminal, journal under systemd, else JSON lines.",
        examples=["auto"],
    )


class EndpointsDocument(Section):
    """The three hosts; only changed for a simulator."""

    accounts: Url = Field(
        default="https://accounts.athom.com",
        description="The address of the login.",
        examples=["https://accounts.athom.com"],
    )
    api: Url = Field(
        default="https://api.athom.com",
        description="The address of OAuth and of the account.",
        examples=["https://api.athom.com"],
    )
    homey: CloudidUrl = Field(
        default="https://{cloudid}.connect.athom.com",
        description="The address of a Homey through the cloud; {cloudid} may be absent.",
        examples=["https://{cloudid}.connect.athom.com"],
    )
