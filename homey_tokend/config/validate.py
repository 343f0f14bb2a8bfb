"""Validate a tree: return a Config, or raise all of its faults at once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pydantic import ValidationError

from homey_tokend.config.checks import conflicts, warnings
from homey_tokend.config.faults import MAX_FAULTS, validation_faults
from homey_tokend.config.model import (
    Config,
    ConfigDocument,
    DefaultPaths,
    HomeyConfig,
    HomeyDocument,
)
from homey_tokend.config.sections import SocketConfig, StateConfig
from homey_tokend.config.tree import Tree, invalid
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid
from homey_tokend.core.http_types import Endpoints
from homey_tokend.core.secret import SECRET_KEYS


def validate(
    tree: Tree,
    *,
    defaults: DefaultPaths,
    path: str = "",
    warn: Callable[[ConfigDocument], Iterable[ConfigFault]],
) -> Config:
    """Return the Config of a tree.

    Args:
        tree: The configuration as it is written, with the faults found so far.
        defaults: The machine's default paths.
        path: The absolute path of its file; empty: none.
        warn: Returns further warnings about the valid document.

    Raises:
        ConfigurationInvalid: With all faults that can be found at once.
    """
    if not isinstance(tree.data, dict):
        raise invalid(
            tree.source,
            tree.mark(()),
            "there is no mapping at the top",
            "Start with the key homeys.",
        )
    # Keys x-… at the top are ignored: they are for anchors.
    data = {key: value for key, value in tree.data.items() if not key.startswith("x-")}
    faults = [*tree.faults, *conflicts(tree, defaults, path)]
    document = None
    try:
        document = ConfigDocument.model_validate(data)
    except ValidationError as exc:
        faults += validation_faults(exc, tree)
    if document is None or faults:
        raise ConfigurationInvalid(_bounded(faults, tree.source)) from None
    return Config(
        homeys=MappingProxyType(
            {name: _homey(name, homey, tree) for name, homey in document.homeys.items()}
        ),
        refresh=document.refresh,
        socket=_with_path(document.socket, defaults.socket),
        http=document.http,
        state=_with_path(document.state, defaults.state),
        log=document.log,
        endpoints=Endpoints(**dict(document.endpoints)),
        warnings=(*tree.warnings, *warnings(document, tree), *warn(document)),
        source=tree.source,
    )


def _bounded(faults: Sequence[ConfigFault], source: str) -> Sequence[ConfigFault]:
    if len(faults) <= MAX_FAULTS:
        return faults
    message = f"has more than {MAX_FAULTS} faults"
    more = ConfigFault(source, 0, 0, "", message, "The first ones follow.")
    return [more, *sorted(faults)[:MAX_FAULTS]]


_S = TypeVar("_S", SocketConfig, StateConfig)


def _with_path(section: _S, default: Path) -> _S:
    if "path" in section.model_fields_set:
        return section
    return section.model_copy(update={"path": default})


def _homey(name: str, document: HomeyDocument, tree: Tree) -> HomeyConfig:
    values = dict(document)
    for key in SECRET_KEYS:
        if values[key] is not None:
            values[key] = replace(values[key], place=tree.place(("homeys", name, key)))
    return HomeyConfig(name=name, **values)
