"""The whole file: the source of the checks and of the schema."""

from typing import Annotated

from pydantic import Field, WithJsonSchema

from homey_tokend.config.daemon import (
    AllowConfig,
    EndpointsDocument,
    HttpConfig,
    LogConfig,
    SocketConfig,
    StateConfig,
)
from homey_tokend.config.homeys import HomeyDocument
from homey_tokend.config.readers import leaf, text
from homey_tokend.config.refresh import RefreshConfig, RetryConfig
from homey_tokend.config.sections import HOMEYS, MAPPING, MAPPING_OR_EMPTY, STATE_MAPPING, Section
from homey_tokend.config.sinks import ExecSinkConfig, FileSinkConfig, LogicVariableConfig

_NAME = r"[a-z0-9-]{1,32}"

HomeyName = Annotated[
    str,
    leaf(
        text(
            "a name of 1 to 32 small letters, digits and dashes",
            _NAME,
            "Choose a name such as home; scripts use it.",
        )
    ),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"}),
]


class ConfigDocument(Section):
    """The configuration of homey-tokend."""

    homeys: Annotated[dict[HomeyName, Annotated[HomeyDocument, MAPPING]], HOMEYS] = Field(
        min_length=1,
        json_schema_extra={"additionalProperties": False},
        description="The Homeys to keep a token for, by the name that scripts use.",
        examples=[{"home": {"email": "you@example.com"}}],
    )
    refresh: Annotated[RefreshConfig, MAPPING_OR_EMPTY] = Field(
        default=RefreshConfig(),
        description="When a token is refreshed, and how.",
        examples=[{"at": 0.5}],
    )
    socket: Annotated[SocketConfig, MAPPING_OR_EMPTY] = Field(
        default=SocketConfig(),
        description="The unix socket that serves the token.",
        examples=[{"mode": "0660"}],
    )
    http: Annotated[HttpConfig, MAPPING_OR_EMPTY] = Field(
        default=HttpConfig(),
        description="The optional TCP door. Never a token.",
        examples=[{"listen": "127.0.0.1:9464"}],
    )
    state: Annotated[StateConfig, STATE_MAPPING] = Field(
        default=StateConfig(),
        description="What is kept across restarts.",
        examples=[{"path": "/var/lib/homey-tokend/state.json"}],
    )
    log: Annotated[LogConfig, MAPPING_OR_EMPTY] = Field(
        default=LogConfig(), description="What is logged.", examples=[{"level": "info"}]
    )
    endpoints: Annotated[EndpointsDocument, MAPPING_OR_EMPTY] = Field(
        default=EndpointsDocument(),
        description="The three hosts; only changed for a simulator.",
        examples=[{"api": "https://api.athom.com"}],
    )


#: Which model is where; ``*`` is any name or index, and sinks are told apart by type.
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
