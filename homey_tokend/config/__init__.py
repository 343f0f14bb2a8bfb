"""The configuration: from the text of a file, or the environment, to a checked, frozen Config."""

from homey_tokend.config.load import load, parse
from homey_tokend.config.model import Config, DefaultPaths, HomeyConfig
from homey_tokend.config.schema import schema
from homey_tokend.config.sections import (
    AllowConfig,
    HttpConfig,
    LogConfig,
    RefreshConfig,
    RetryConfig,
    SocketConfig,
    StateConfig,
)
from homey_tokend.config.sinks import ExecSinkConfig, FileSinkConfig, LogicVariableConfig

__all__ = [
    "AllowConfig",
    "Config",
    "DefaultPaths",
    "ExecSinkConfig",
    "FileSinkConfig",
    "HomeyConfig",
    "HttpConfig",
    "LogConfig",
    "LogicVariableConfig",
    "RefreshConfig",
    "RetryConfig",
    "SocketConfig",
    "StateConfig",
    "load",
    "parse",
    "schema",
]
