"""The configuration without a file: one Homey named ``home``, from environment variables."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from homey_tokend.config.field_types import is_absolute
from homey_tokend.config.model import Config, ConfigDocument, DefaultPaths
from homey_tokend.config.secrets import without_newline
from homey_tokend.config.tree import Null, Tree
from homey_tokend.config.validate import validate
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid
from homey_tokend.core.secret import SECRET_KEYS, SecretRef, SecretSource

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
_NULL = re.compile("~|null|Null|NULL")


def from_environment(
    environ: Mapping[str, str], *, defaults: DefaultPaths, read_text: Callable[[str], str]
) -> Config | None:
    """Make the configuration that the environment alone gives.

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
    reader.read()
    try:
        config = validate(reader.tree, defaults=defaults, warn=lambda _: unknown_variables(environ))
    except ConfigurationInvalid as exc:
        known = {fault.key.removesuffix(_FILE) for fault in reader.faults}
        others = (_by_variable(fault) for fault in exc.faults)
        faults = [*reader.faults, *(fault for fault in others if fault.key not in known)]
        raise ConfigurationInvalid(faults) from None
    if reader.faults:
        raise ConfigurationInvalid(reader.faults)
    return _with_places(config, reader.names)


def ignored_variables(
    document: ConfigDocument, environ: Mapping[str, str], source: str
) -> Iterator[ConfigFault]:
    """Find the variables that a file makes idle, apart from those that it names itself."""
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
    """Find the variables that look like ours and are not: most likely misspelt."""
    for name in sorted(environ):
        if name.startswith("HOMEY_") and name not in _OTHERS and name not in KNOWN:
            near = difflib.get_close_matches(name[:64], KNOWN, n=1, cutoff=_NEAR)
            if near:
                yield _fault(name[:64], "is not a known variable", f"Did you mean {near[0]}?")


def _fault(name: str, message: str, remedy: str) -> ConfigFault:
    return ConfigFault(SOURCE, 0, 0, name, message, remedy)


class _Reader:
    """Makes what a file with the same meaning would hold."""

    def __init__(self, environ: Mapping[str, str], read_text: Callable[[str], str]) -> None:
        self.tree = Tree(SOURCE, {"homeys": {_NAME: {}}})
        self.faults: list[ConfigFault] = []
        #: The variable that each key of the Homey comes from.
        self.names: dict[str, str] = {}
        self._environ = environ
        self._read_text = read_text

    def read(self) -> None:
        homey = self.tree.data["homeys"][_NAME]
        for name, (*_, key) in HOMEY_VARIABLES.items():
            value = self._homey_value(name, key)
            if value:
                homey[key] = value
        for name, (section, key) in DAEMON_VARIABLES.items():
            text = self._environ.get(name)
            if text:
                self.tree.data.setdefault(section, {})[key] = _scalar(text)

    def _homey_value(self, name: str, key: str) -> Any:
        text, file = self._environ.get(name), self._environ.get(name + _FILE)
        if text and file:
            self.faults.append(_fault(name, f"is set, and {name}{_FILE} too", "Unset one of them."))
        self.names[key] = name + _FILE if file else name
        if file and not is_absolute(file):
            self.faults.append(
                _fault(
                    name + _FILE,
                    "is not the absolute path of a file",
                    "Write the whole path from / on; ~ and variables are not expanded.",
                )
            )
            return None
        if key in SECRET_KEYS:
            return {"file": file} if file else {"env": name} if text else None
        text = self._text(name + _FILE, file) if file else text
        return [_variable(text)] if text and key == "sinks" else text and _scalar(text)

    def _text(self, name: str, file: str) -> str:
        try:
            return without_newline(self._read_text(file))
        except ConfigurationInvalid as exc:
            self.faults += [replace(fault, key=name) for fault in exc.faults]
            return ""


def _variable(text: str) -> dict[str, str]:
    if _UUID.fullmatch(text):
        return {"type": "logic_variable", "id": text}
    # Why create? Without a file there is no other place to ask for it.
    return {"type": "logic_variable", "name": text, "create": "true"}


def _scalar(text: str) -> str:
    return Null(text) if _NULL.fullmatch(text) else text


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
        for key in SECRET_KEYS
        if isinstance(ref := getattr(homey, key), SecretRef)
    }
    return replace(config, homeys=MappingProxyType({_NAME: homey.model_copy(update=refs)}))
