"""The checked configuration that the program works with, put together from the document."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from homey_tokend.config.daemon import HttpConfig, LogConfig, SocketConfig, StateConfig
from homey_tokend.config.document import ConfigDocument
from homey_tokend.config.homeys import HomeyConfig, HomeyDocument
from homey_tokend.config.paths import SECRETS, KeyPath
from homey_tokend.config.refresh import RefreshConfig
from homey_tokend.core.errors import ConfigFault
from homey_tokend.core.http_types import Endpoints
from homey_tokend.core.secret import SecretRef


@dataclass(frozen=True, slots=True)
class DefaultPaths:
    """What depends on the machine: where the socket and the state are by default."""

    socket: Path = Path("/run/homey-tokend/homey-tokend.sock")
    state: Path = Path("/var/lib/homey-tokend/state.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration: checked, frozen, and nothing of it opened yet.

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


#: Tells the place of a path of keys, for messages: "file:line:column key".
PlaceOf = Callable[[KeyPath], str]


def assemble(
    document: ConfigDocument,
    *,
    defaults: DefaultPaths,
    place_of: PlaceOf,
    warnings: tuple[ConfigFault, ...],
    source: str,
) -> Config:
    """A Config of a valid document.

    Args:
        document: The validated file.
        defaults: The machine's default folders.
        place_of: Where a path of keys is written.
        warnings: What a person should know.
        source: Where it all comes from.
    """
    ends = document.endpoints
    return Config(
        homeys=MappingProxyType(
            {name: _homey(name, homey, place_of) for name, homey in document.homeys.items()}
        ),
        refresh=document.refresh,
        socket=_with_path(document.socket, defaults.socket),
        http=document.http,
        state=_with_path(document.state, defaults.state),
        log=document.log,
        endpoints=Endpoints(accounts=ends.accounts, api=ends.api, homey=ends.homey),
        warnings=warnings,
        source=source,
    )


_S = TypeVar("_S", SocketConfig, StateConfig)


def _with_path(section: _S, default: Path) -> _S:
    if "path" in section.model_fields_set:
        return section
    return section.model_copy(update={"path": default})


def _homey(name: str, document: HomeyDocument, place_of: PlaceOf) -> HomeyConfig:
    values = {key: getattr(document, key) for key in HomeyDocument.model_fields}
    for key in SECRETS:
        found = values[key]
        if isinstance(found, SecretRef):
            values[key] = replace(found, place=place_of(("homeys", name, key)))
    return HomeyConfig(name=name, **values)
