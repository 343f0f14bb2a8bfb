"""The set-up without a file: one Homey named ``home``, from environment variables."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import cast

from homey_tokend.config.check import validate
from homey_tokend.config.document import ConfigDocument
from homey_tokend.config.nodes import NOWHERE, ListNode, MapNode, Node, ScalarNode, Text
from homey_tokend.config.paths import SECRETS
from homey_tokend.config.readers import absolute
from homey_tokend.config.secrets import bare
from homey_tokend.config.whole import Config, DefaultPaths
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid
from homey_tokend.core.secret import SecretRef, SecretSource

SOURCE = "environment"
_NAME = "home"

#: The variables of the one Homey, each also as ``…_FILE``, and the key each stands for.
HOMEY_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "HOMEY_EMAIL": ("homeys", _NAME, "email"),
    "HOMEY_PASSWORD": ("homeys", _NAME, "password"),
    "HOMEY_CLIENT_ID": ("homeys", _NAME, "client_id"),
    "HOMEY_CLIENT_SECRET": ("homeys", _NAME, "client_secret"),
    "HOMEY_CLOUDID": ("homeys", _NAME, "cloudid"),
    "HOMEY_TOTP_SECRET": ("homeys", _NAME, "totp_secret"),
    "HOMEY_REDIRECT_URL": ("homeys", _NAME, "redirect_url"),
    "HOMEY_LOGIC_VARIABLE": ("homeys", _NAME, "sinks"),
}

#: The variables of the daemon.
DAEMON_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "HOMEY_TOKEND_SOCKET": ("socket", "path"),
    "HOMEY_TOKEND_SOCKET_MODE": ("socket", "mode"),
    "HOMEY_TOKEND_STATE": ("state", "path"),
    "HOMEY_TOKEND_LOG_LEVEL": ("log", "level"),
    "HOMEY_TOKEND_HTTP_LISTEN": ("http", "listen"),
    "HOMEY_TOKEND_ENDPOINT_ACCOUNTS": ("endpoints", "accounts"),
    "HOMEY_TOKEND_ENDPOINT_API": ("endpoints", "api"),
    "HOMEY_TOKEND_ENDPOINT_HOMEY": ("endpoints", "homey"),
}

_FILE = "_FILE"
KNOWN = (
    *HOMEY_VARIABLES,
    *(name + _FILE for name in HOMEY_VARIABLES),
    *DAEMON_VARIABLES,
)

#: Not for the configuration: where it is, and what ``homey-tokend exec`` gives its child.
_OTHERS = frozenset({"HOMEY_TOKEND_CONFIG", "HOMEY_TOKEN", "HOMEY_URL"})
#: How alike is misspelt? Foreign programs have HOMEY_ variables of their own.
_NEAR = 0.8
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def from_environment(
    environ: Mapping[str, str], *, defaults: DefaultPaths, read_text: Callable[[str], str]
) -> Config | None:
    """The configuration that the environment alone gives.

    An empty variable counts as not set: compose files cannot leave one out.

    Args:
        environ: The environment.
        defaults: The machine's default folders.
        read_text: Reads the file that a ``…_FILE`` variable of a plain value names.

    Returns:
        None where no variable of the Homey is set.

    Raises:
        ConfigurationInvalid: Something is missing, wrong, or there twice; or what
            ``read_text`` raises, its faults told with the others.
    """
    if not any(environ.get(name) or environ.get(name + _FILE) for name in HOMEY_VARIABLES):
        return None
    reader = _Reader(environ, read_text)
    root = reader.tree()
    try:
        config = validate(
            root,
            SOURCE,
            defaults=defaults,
            warn=lambda _: unknown_variables(environ),
        )
    except ConfigurationInvalid as exc:
        told = {fault.key.removesuffix(_FILE) for fault in reader.faults}
        others = (_by_variable(fault) for fault in exc.faults)
        faults = [*reader.faults, *(fault for fault in others if fault.key not in told)]
        raise ConfigurationInvalid(faults) from None
    if reader.faults:
        raise ConfigurationInvalid(reader.faults)
    return _with_places(config, reader.names)


def ignored_variables(
    document: ConfigDocument, environ: Mapping[str, str], source: str
) -> Iterator[ConfigFault]:
    """The variables that a file makes idle, apart from those that the file itself names."""
    named = {
        ref.argument
        for homey in document.homeys.values()
        for ref in (getattr(homey, key) for key in SECRETS)
        if ref is not None and ref.source is SecretSource.ENV
    }
    for name in sorted(set(KNOWN) - named):
        if environ.get(name):
            yield ConfigFault(
                source,
                0,
                0,
                name,
                "is set in the environment and ignored, since there is a configuration file",
                "Unset it, or name it in the file: {env: " + name + "}."
                if name in HOMEY_VARIABLES
                else "Unset it, or write its value into the file.",
            )


def unknown_variables(environ: Mapping[str, str]) -> Iterator[ConfigFault]:
    """The variables that look like ours and are not: most likely misspelt."""
    for name in sorted(environ):
        if not name.startswith("HOMEY_") or name in _OTHERS or name in KNOWN:
            continue
        near = difflib.get_close_matches(name[:64], KNOWN, n=1, cutoff=_NEAR)
        if near:
            yield ConfigFault(
                SOURCE, 0, 0, name[:64], "is not a known variable", f"Did you mean {near[0]}?"
            )


@dataclass(slots=True)
class _Found:
    """A variable that is set: its own name, and what it holds."""

    name: str
    text: str
    file: bool


class _Reader:
    """Makes the tree that a file with the same meaning would give."""

    def __init__(self, environ: Mapping[str, str], read_text: Callable[[str], str]) -> None:
        self.faults: list[ConfigFault] = []
        #: The variable that each secret comes from.
        self.names: dict[str, str] = {}
        self._environ = environ
        self._read_text = read_text

    def tree(self) -> MapNode:
        """All that is set, under the keys it stands for."""
        root = _map()
        _put(root, ("homeys", _NAME), _map())
        for name, path in HOMEY_VARIABLES.items():
            found = self._find(name)
            if found is not None:
                self.names[path[-1]] = found.name
                self._homey(root, found, path)
        for name, path in DAEMON_VARIABLES.items():
            text = self._environ.get(name)
            if text:
                _put(root, path, _scalar(text))
        return root

    def _find(self, name: str) -> _Found | None:
        text, file = self._environ.get(name), self._environ.get(name + _FILE)
        if text and file:
            self._fault(name, f"is set, and {name}{_FILE} too", "Unset one of them.")
        if file:
            return _Found(name + _FILE, file, file=True)
        return _Found(name, text, file=False) if text else None

    def _homey(self, root: MapNode, found: _Found, path: tuple[str, ...]) -> None:
        if found.file and not absolute(found.text):
            self._fault(
                found.name,
                "is not the absolute path of a file",
                "Write the whole path from / on; ~ and variables are not expanded.",
            )
            return
        if path[-1] in SECRETS:
            source, argument = ("file", found.text) if found.file else ("env", found.name)
            _put(root, (*path, source), _scalar(argument))
            return
        text = self._text(found)
        if path[-1] == "sinks" and text:
            _put(root, path, ListNode(NOWHERE, [_variable(text)]))
        elif text:
            _put(root, path, _scalar(text))

    def _text(self, found: _Found) -> str:
        if not found.file:
            return found.text
        try:
            return bare(self._read_text(found.text))
        except ConfigurationInvalid as exc:
            self.faults += [replace(fault, key=found.name) for fault in exc.faults]
            return ""

    def _fault(self, name: str, message: str, remedy: str) -> None:
        self.faults.append(ConfigFault(SOURCE, 0, 0, name, message, remedy))


def _variable(text: str) -> MapNode:
    # Why create? Without a file there is no other place to ask for it.
    node = _map()
    by_id = _UUID.fullmatch(text) is not None
    values = {"id": text} if by_id else {"name": text, "create": "true"}
    for key, value in {"type": "logic_variable", **values}.items():
        node.entries[key] = (NOWHERE, _scalar(value))
    return node


def _scalar(text: str) -> ScalarNode:
    return ScalarNode(Text(text, plain=True), NOWHERE)


def _map() -> MapNode:
    return MapNode(NOWHERE)


def _put(root: MapNode, path: tuple[str, ...], value: Node) -> None:
    for key in path[:-1]:
        # No path of the tables above leads through anything but mappings.
        root = cast(MapNode, root.entries.setdefault(key, (NOWHERE, _map()))[1])
    root.entries[path[-1]] = (NOWHERE, value)


_NAMES = {".".join(path): name for name, path in {**HOMEY_VARIABLES, **DAEMON_VARIABLES}.items()}


def _by_variable(fault: ConfigFault) -> ConfigFault:
    """The same fault under the name of its variable."""
    name = _NAMES.get(fault.key.partition("[")[0], fault.key)
    missing = fault.message == "is missing"
    remedy = f"Set {name} or {name}{_FILE}." if missing else fault.remedy
    return replace(fault, key=name, remedy=remedy)


def _with_places(config: Config, names: Mapping[str, str]) -> Config:
    homey = config.homeys[_NAME]
    refs = {
        key: replace(ref, place=f"{SOURCE} {names[key]}")
        for key in SECRETS
        if isinstance(ref := getattr(homey, key), SecretRef)
    }
    return replace(config, homeys=MappingProxyType({_NAME: homey.model_copy(update=refs)}))
