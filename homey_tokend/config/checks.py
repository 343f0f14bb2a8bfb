"""Checks that involve several values: conflicts, and warnings."""

import posixpath
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter, ValidationError

from homey_tokend.athom.urls import is_loopback
from homey_tokend.config.model import ConfigDocument, DefaultPaths
from homey_tokend.config.sinks import FileSinkConfig, LogicVariableConfig, SinkConfig
from homey_tokend.config.tree import KeyPath, Null, Tree, dotted
from homey_tokend.core.errors import ConfigFault
from homey_tokend.core.secret import SECRET_KEYS
from homey_tokend.core.value_text import doubt

_SINK: TypeAdapter[SinkConfig] = TypeAdapter(SinkConfig)
_ANOTHER = "Choose another path."

#: The files beside that of a key, by their suffix.
_BESIDE = {"socket": ("lock",), "state": ("lock", "reserve")}


def conflicts(tree: Tree, defaults: DefaultPaths, file: str) -> Iterator[ConfigFault]:
    """Find sinks with the same target, and paths that would overwrite a file of the daemon.

    The tree is checked, not the validated document, so that other faults do not hide these.

    Args:
        tree: The configuration as it is written.
        defaults: The paths of socket and state if it sets none.
        file: The absolute path of the configuration's own file; empty: none.
    """
    taken = dict(_secret_files(tree))
    if file:
        taken[_normalized(file)] = "the configuration"
    for key, suffixes in _BESIDE.items():
        written = tree.value((key, "path"))
        if isinstance(written, Null):
            continue
        path = written if isinstance(written, str) else str(getattr(defaults, key))
        if isinstance(written, str) and (own := taken.get(_normalized(path))):
            yield tree.fault((key, "path"), f"would overwrite {own}", _ANOTHER)
        taken[_normalized(path)] = f"the file of {key}.path"
        taken |= {_normalized(f"{path}.{one}"): f"the {one} of {key}.path" for one in suffixes}
    first: dict[tuple[str, str], KeyPath] = {}
    for place, cloudid, sink in _sinks(tree):
        if isinstance(sink, FileSinkConfig) and (own := taken.get(_normalized(sink.path))):
            yield tree.fault((*place, "path"), f"would overwrite {own}", _ANOTHER)
        earlier = [
            first.setdefault(target, place) for target in _targets(sink, str(place[1]), cloudid)
        ]
        if others := [one for one in earlier if one != place]:
            yield tree.fault(
                place,
                f"has the same target as {dotted(others[0])}",
                "Keep one of them, or give them different targets.",
            )


def _targets(sink: SinkConfig, name: str, cloudid: str) -> list[tuple[str, str]]:
    """Return everything that a sink writes to, with the scope in which each must be unique.

    A file is unique on the machine, a variable on its Homey, a command for one entry of ``homeys``.
    """
    if isinstance(sink, FileSinkConfig):
        return [("machine", _normalized(sink.path))]
    if isinstance(sink, LogicVariableConfig):
        scope = f"cloudid {cloudid}" if cloudid else f"name {name}"
        return [(scope, target) for target in sink.targets]
    return [(f"name {name}", sink.target)]


def _homeys(tree: Tree) -> Iterator[tuple[str, dict[str, Any]]]:
    homeys = tree.value(("homeys",))
    for name, homey in homeys.items() if isinstance(homeys, dict) else ():
        if isinstance(homey, dict):
            yield name, homey


def _sinks(tree: Tree) -> Iterator[tuple[KeyPath, str, SinkConfig]]:
    for name, homey in _homeys(tree):
        cloudid, sinks = homey.get("cloudid"), homey.get("sinks")
        known = cloudid if isinstance(cloudid, str) else ""
        for index, sink in enumerate(sinks if isinstance(sinks, list) else ()):
            try:
                yield ("homeys", name, "sinks", index), known, _SINK.validate_python(sink)
            except ValidationError:
                continue  # reported where the whole document is validated


def _secret_files(tree: Tree) -> Iterator[tuple[str, str]]:
    for name, homey in _homeys(tree):
        for key in SECRET_KEYS:
            written = homey.get(key)
            if isinstance(written, dict) and isinstance(written.get("file"), str):
                yield _normalized(written["file"]), f"the file of {dotted(('homeys', name, key))}"


def _normalized(path: object) -> str:
    """Normalise a path; POSIX keeps two slashes at the start, Linux does not."""
    return "/" + posixpath.normpath(str(path)).lstrip("/")


def warnings(document: ConfigDocument, tree: Tree) -> Iterator[ConfigFault]:
    """Find values that are valid but most likely not intended.

    Args:
        document: The validated configuration.
        tree: The configuration as it is written, for the places.
    """
    for place, message, remedy in (
        *_doubtful_passwords(document),
        *_open_files(document),
        *_open_listeners(document),
        *_same_homey(document),
    ):
        yield tree.fault(place, message, remedy)


_Warning = tuple[KeyPath, str, str]


def _doubtful_passwords(document: ConfigDocument) -> Iterator[_Warning]:
    for name, homey in document.homeys.items():
        plain = homey.password.plain
        if plain is not None and (words := doubt(plain.reveal())):
            yield (("homeys", name, "password"), *words)


def _open_files(document: ConfigDocument) -> Iterator[_Warning]:
    for name, homey in document.homeys.items():
        for index, sink in enumerate(homey.sinks):
            if isinstance(sink, FileSinkConfig) and sink.mode & 0o026:
                who = "everybody on this machine read" if sink.mode & 0o004 else "others change"
                yield (
                    ("homeys", name, "sinks", index, "mode"),
                    f"mode {sink.mode:04o} lets {who} the token file",
                    "Use 0640 and a group for its readers.",
                )


def _open_listeners(document: ConfigDocument) -> Iterator[_Warning]:
    socket, listen = document.socket, document.http.listen
    if socket.mode & 0o002 and not (socket.allow.users or socket.allow.groups):
        yield (
            ("socket", "mode"),
            f"mode {socket.mode:04o} lets everybody on this machine have the token",
            "Use 0660 and a group, or name users and groups under socket.allow.",
        )
    if listen is not None and not is_loopback(listen[0]):
        yield (
            ("http", "listen"),
            "is not a loopback address: the network can read status and metrics",
            "Use 127.0.0.1 unless that is intended.",
        )


def _same_homey(document: ConfigDocument) -> Iterator[_Warning]:
    first: dict[object, str] = {}
    for name, homey in document.homeys.items():
        email = homey.email
        account = (homey.cloudid, email.source, email.plain, email.argument, email.argv)
        earlier = first.setdefault(account, name)
        if earlier != name:
            yield (
                ("homeys", name, "cloudid"),
                f"is the same Homey and account as homeys.{earlier}",
                "Keep one of them: each costs sign-ins, and one token serves both.",
            )
