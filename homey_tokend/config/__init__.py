"""The configuration: text to a checked, frozen :class:`Config`. Nothing is opened here.

The arrows, from the ground up: ``durations``, ``urls``, ``paths`` and ``nodes`` know nothing
of each other; ``words``, ``fields``, ``secrets`` and ``sections`` say what one value must
be; ``sinks``, ``homeys``, ``refresh``, ``daemon`` and ``document`` name the keys;
``whole`` is the outcome; ``decode``, ``build`` and ``yaml_text`` make the tree that
``faults``, ``across`` and ``check`` judge; ``text`` and ``environment`` are the two ways
in, ``schema`` is for editors.
"""

from homey_tokend.config.daemon import AllowConfig, HttpConfig, LogConfig, SocketConfig, StateConfig
from homey_tokend.config.environment import from_environment
from homey_tokend.config.homeys import HomeyConfig
from homey_tokend.config.refresh import RefreshConfig, RetryConfig
from homey_tokend.config.schema import schema
from homey_tokend.config.sinks import ExecSinkConfig, FileSinkConfig, LogicVariableConfig
from homey_tokend.config.text import parse
from homey_tokend.config.whole import Config, DefaultPaths

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
    "from_environment",
    "parse",
    "schema",
]
