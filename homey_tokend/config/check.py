"""A tree to a checked Config, or every fault of it at once."""

from collections.abc import Callable, Iterable, Sequence

from pydantic import ValidationError

from homey_tokend.config.across import conflicts, warnings
from homey_tokend.config.decode import invalid
from homey_tokend.config.document import ConfigDocument
from homey_tokend.config.faults import MOST, validation_faults
from homey_tokend.config.nodes import MapNode, Node, place, plain
from homey_tokend.config.paths import KeyPath, dotted
from homey_tokend.config.whole import Config, DefaultPaths, assemble
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid


def validate(
    root: Node,
    source: str,
    *,
    defaults: DefaultPaths,
    path: str = "",
    faults: Sequence[ConfigFault] = (),
    warn: Callable[[ConfigDocument], Iterable[ConfigFault]],
) -> Config:
    """Validate a tree.

    Args:
        root: The tree, its depth and size bounded.
        source: Where it comes from, for messages.
        defaults: The machine's default folders.
        path: The file that it was read from, absolute; empty: none.
        faults: What was found while it was read.
        warn: Further warnings, once the document is known.

    Raises:
        ConfigurationInvalid: It has faults: those given and all that are found here.
    """
    if not isinstance(root, MapNode):
        raise invalid(
            source, root.mark, "there is no mapping at the top", "Start with the key homeys."
        )
    data = {key: plain(value) for key, (_, value) in root.entries.items() if not _free(key)}
    every = [*faults, *conflicts(data, root, source, defaults, path)]
    document = None
    try:
        document = ConfigDocument.model_validate(data)
    except ValidationError as exc:
        every += validation_faults(exc, root, source)
    if document is None or every:
        raise ConfigurationInvalid(_bounded(every, source)) from None

    def place_of(path: KeyPath) -> str:
        mark = place(root, path).value
        name = dotted(path)
        return f"{source}:{mark.line}:{mark.column} {name}" if mark.line else f"{source} {name}"

    found = (*warnings(document, root, source), *warn(document))
    return assemble(document, defaults=defaults, place_of=place_of, warnings=found, source=source)


def _free(key: str) -> bool:
    """Top-level keys ``x-…`` are for anchors."""
    return key.startswith("x-")


def _bounded(faults: Sequence[ConfigFault], source: str) -> Sequence[ConfigFault]:
    if len(faults) <= MOST:
        return faults
    more = ConfigFault(source, 0, 0, "", f"has more than {MOST} faults", "The first ones follow.")
    return [more, *sorted(faults)[:MOST]]
