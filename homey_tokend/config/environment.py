"""The configuration without a file: one Homey named ``home``, from environment variables."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from homey_tokend.config.field_types import is_absolute
from homey_tokend.config.model import Config, ConfigDocument, DefaultPaths
from homey_tokend.config.tree import Null, Tree
from homey_tokend.config.validate import validate
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid
from homey_tokend.core.secret import SECRET_KEYS, SecretSource
from homey_tokend.core.value_text import defect, trim

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

#: Variables that are not keys: where the configuration is, and those that ``exec`` sets.
_OTHERS = frozenset({"HOMEY_TOKEND_BOOT_ID", "HOMEY_TOKEND_CONFIG", "HOMEY_TOKEN", "HOMEY_URL"})
#: The least similarity of a misspelt name (difflib): other programs have HOMEY_ variables, too.
_SIMILARITY = 0.8
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NOT_ABSOLUTE = (
    "is not the absolute path of a file",
    "Write the whole path from / on; ~ and variables are not expanded.",
)
_NULL = re.compile("~|null|Null|NULL")


def from_environment(
    environ: Mapping[str, str], *, defaults: DefaultPaths, read_text: Callable[[str], str]
) -> Config | None:
    """Return the configuration that the environment describes; None if it describes no Homey.

    An empty variable counts as not set: compose files cannot leave one out.

    Args:
        environ: The environment.
        defaults: The machine's default paths.
        read_text: Reads the file that a ``…_FILE`` variable of a plain value names.

    Raises:
        ConfigurationInvalid: A value is missing, invalid or set twice, or ``read_text`` raised
            it; with all faults.
    """
    if not any(environ.get(name) or environ.get(name + _FILE) for name in HOMEY_VARIABLES):
        return None
    tree = _Reader(environ, read_text).read()
    known = {fault.key.removesuffix(_FILE) for fault in tree.faults}
    try:
        return validate(tree, defaults=defaults, warn=lambda _: unknown_variables(environ))
    except ConfigurationInvalid as exc:
        raise ConfigurationInvalid(
            [
                _with_remedy(fault)
                for fault in exc.faults
                if fault in tree.faults or fault.key not in known
            ]
        ) from None


def ignored_variables(
    document: ConfigDocument, environ: Mapping[str, str], source: str
) -> Iterator[ConfigFault]:
    """Find the variables that a file overrides, except those that it refers to."""
    refs = [getattr(homey, key) for homey in document.homeys.values() for key in SECRET_KEYS]
    named = {ref.argument for ref in refs if ref is not None and ref.source is SecretSource.ENV}
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
    """Find unknown variables that resemble a known one: most likely they are misspelt."""
    for name in sorted(environ):
        if name.startswith("HOMEY_") and name not in _OTHERS and name not in KNOWN:
            near = difflib.get_close_matches(name[:64], KNOWN, n=1, cutoff=_SIMILARITY)
            if near:
                remedy = f"Did you mean {near[0]}?"
                yield ConfigFault(SOURCE, 0, 0, name[:64], "is not a known variable", remedy)


class _Reader:
    """Build the tree of a file with the same meaning."""

    def __init__(self, environ: Mapping[str, str], read_text: Callable[[str], str]) -> None:
        self._tree = Tree(SOURCE, {"homeys": {_NAME: {}}})
        self._environ = environ
        self._read_text = read_text

    def read(self) -> Tree:
        for name, path in (*HOMEY_VARIABLES.items(), *DAEMON_VARIABLES.items()):
            self._tree.names[path] = name
            value = self._value(name, path)
            if value:
                *above, key = path
                section = self._tree.data
                for part in above:
                    section = section.setdefault(part, {})
                section[key] = value
        return self._tree

    def _value(self, name: str, path: tuple[str, ...]) -> Any:
        text = trim(self._environ.get(name, ""))
        file = trim(self._environ.get(name + _FILE, "")) if name in HOMEY_VARIABLES else ""
        if text and file:
            self._fault(name, f"is set, and {name}{_FILE} too", "Unset one of them.")
        if not file:
            secret = text and path[-1] in SECRET_KEYS
            return {"env": name} if secret else self._written(name, text, path)
        if not is_absolute(file):
            self._fault(name + _FILE, *(defect(file) or _NOT_ABSOLUTE))
            return None
        if path[-1] in SECRET_KEYS:
            self._tree.names[path] = name + _FILE
            return {"file": file}
        return self._written(name + _FILE, self._text(name + _FILE, file), path)

    def _written(self, name: str, text: str, path: tuple[str, ...]) -> Any:
        """Return what a file would hold for the text of a variable."""
        if words := defect(text):
            self._fault(name, *words)
            return None
        if not text or path[-1] != "sinks":
            return Null(text) if _NULL.fullmatch(text) else text
        if _UUID.fullmatch(text):
            return [{"type": "logic_variable", "id": text}]
        # Created if missing, since a variable alone cannot say that it may be.
        return [{"type": "logic_variable", "name": text, "create": "true"}]

    def _text(self, name: str, file: str) -> str:
        try:
            return trim(self._read_text(file))
        except ConfigurationInvalid as exc:
            self._tree.faults += [replace(fault, key=name) for fault in exc.faults]
            return ""

    def _fault(self, name: str, message: str, remedy: str) -> None:
        self._tree.faults.append(ConfigFault(SOURCE, 0, 0, name, message, remedy))


def _with_remedy(fault: ConfigFault) -> ConfigFault:
    if fault.message != "is missing":
        return fault
    return replace(fault, remedy=f"Set {fault.key} or {fault.key}{_FILE}.")
