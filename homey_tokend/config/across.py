"""What only shows when several values are seen together: clashes (faults) and doubts (warnings)."""

import ipaddress
import posixpath
from collections.abc import Iterator

from pydantic import TypeAdapter, ValidationError

from homey_tokend.config.document import ConfigDocument
from homey_tokend.config.faults import fault_at
from homey_tokend.config.homeys import HomeyDocument
from homey_tokend.config.nodes import Node, Plain, Text
from homey_tokend.config.paths import SECRETS, KeyPath, dotted
from homey_tokend.config.sinks import (
    ExecSinkConfig,
    FileSinkConfig,
    LogicVariableConfig,
    SinkConfig,
)
from homey_tokend.config.whole import DefaultPaths
from homey_tokend.core.errors import ConfigFault
from homey_tokend.core.secret import SecretRef

Sink = LogicVariableConfig | FileSinkConfig | ExecSinkConfig
_SINK: TypeAdapter[Sink] = TypeAdapter(SinkConfig)


def conflicts(
    data: Plain, root: Node, source: str, defaults: DefaultPaths, file: str
) -> Iterator[ConfigFault]:
    """Two sinks with one target, and what would overwrite a file of the daemon.

    Works on what is written, not on the validated document, so that other faults do not
    hide these.

    Args:
        data: The document as written.
        root: Its tree, for the places.
        source: Where it comes from.
        defaults: Where socket and state are if the document does not say.
        file: The configuration's own file, absolute; empty: none.
    """
    first: dict[tuple[str, str], KeyPath] = {}
    taken = dict(_secret_files(data))
    if file:
        taken[_norm(file)] = "the configuration"
    for key, path, written in _own_places(data, defaults):
        own = taken.get(_norm(path))
        if own is not None and written:
            yield fault_at(
                (key, "path"), root, source, f"would overwrite {own}", "Choose another path."
            )
        taken[_norm(path)] = f"the file of {key}.path"
        taken[_norm(f"{path}.lock")] = f"the lock of {key}.path"
    for place, cloudid, sink in _sinks(data):
        if isinstance(sink, FileSinkConfig):
            own = taken.get(_norm(str(sink.path)))
            if own is not None:
                yield fault_at(
                    (*place, "path"),
                    root,
                    source,
                    f"would overwrite {own}",
                    "Choose another path.",
                )
        scope = _scope(sink, place, cloudid)
        earlier = [first.setdefault((scope, target), place) for target in _targets(sink)]
        if others := [one for one in earlier if one != place]:
            yield fault_at(
                place,
                root,
                source,
                f"has the same target as {dotted(others[0])}",
                "Keep one of them, or give them different targets.",
            )


def warnings(document: ConfigDocument, root: Node, source: str) -> Iterator[ConfigFault]:
    """What is allowed and most likely not meant.

    Args:
        document: The validated file.
        root: Its tree, for the places.
        source: Where it comes from.
    """
    for place, message, remedy in (
        *_open_files(document),
        *_open_doors(document),
        *_same_homey(document),
    ):
        yield fault_at(place, root, source, message, remedy)


def _targets(sink: Sink) -> tuple[str, ...]:
    """All that a sink writes to; two spellings of one path are one target."""
    if isinstance(sink, LogicVariableConfig):
        return sink.targets
    return (_norm(str(sink.path)) if isinstance(sink, FileSinkConfig) else sink.target,)


def _scope(sink: Sink, place: KeyPath, cloudid: str) -> str:
    """Where a target must be alone: the machine, one Homey by its id, or one entry by its name."""
    if isinstance(sink, FileSinkConfig):
        return "machine"
    if isinstance(sink, LogicVariableConfig) and cloudid:
        return f"cloudid {cloudid}"
    return f"name {place[1]}"


def _homeys(data: Plain) -> Iterator[tuple[str, dict[str, Plain]]]:
    homeys = data.get("homeys") if isinstance(data, dict) else None
    for name, homey in homeys.items() if isinstance(homeys, dict) else ():
        if isinstance(homey, dict):
            yield name, homey


def _sinks(data: Plain) -> Iterator[tuple[KeyPath, str, Sink]]:
    for name, homey in _homeys(data):
        cloudid, sinks = homey.get("cloudid"), homey.get("sinks")
        known = str(cloudid) if isinstance(cloudid, Text) else ""
        for index, sink in enumerate(sinks if isinstance(sinks, list) else ()):
            try:
                yield ("homeys", name, "sinks", index), known, _SINK.validate_python(sink)
            except ValidationError:
                continue  # its faults are told where the whole document is validated


def _norm(path: str) -> str:
    """One spelling of a path; POSIX leaves two slashes at the start alone, Linux does not."""
    return "/" + posixpath.normpath(path).lstrip("/")


def _secret_files(data: Plain) -> Iterator[tuple[str, str]]:
    for name, homey in _homeys(data):
        for key in SECRETS:
            written = homey.get(key)
            if isinstance(written, dict) and isinstance(written.get("file"), Text):
                yield _norm(str(written["file"])), f"the file of {dotted(('homeys', name, key))}"


def _own_places(data: Plain, defaults: DefaultPaths) -> Iterator[tuple[str, str, bool]]:
    for key in ("socket", "state"):
        section = data.get(key) if isinstance(data, dict) else None
        path = section.get("path") if isinstance(section, dict) else None
        if isinstance(path, Text):
            if not path.null:
                yield key, str(path), True
        else:
            yield key, str(getattr(defaults, key)), False


_Doubt = tuple[KeyPath, str, str]


def _open_files(document: ConfigDocument) -> Iterator[_Doubt]:
    for name, homey in document.homeys.items():
        for index, sink in enumerate(homey.sinks):
            if isinstance(sink, FileSinkConfig) and sink.mode & 0o026:
                who = "everybody on this machine read" if sink.mode & 0o004 else "others change"
                yield (
                    ("homeys", name, "sinks", index, "mode"),
                    f"mode {sink.mode:04o} lets {who} the token file",
                    "Use 0640 and a group for its readers.",
                )


def _open_doors(document: ConfigDocument) -> Iterator[_Doubt]:
    socket, listen = document.socket, document.http.listen
    if socket.mode & 0o002 and not (socket.allow.users or socket.allow.groups):
        yield (
            ("socket", "mode"),
            f"mode {socket.mode:04o} lets everybody on this machine have the token",
            "Use 0660 and a group, or name users and groups under socket.allow.",
        )
    if listen is not None and not _loopback(listen[0]):
        yield (
            ("http", "listen"),
            "is not a loopback address: the network can read status and metrics",
            "Use 127.0.0.1 unless that is meant.",
        )


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _same_homey(document: ConfigDocument) -> Iterator[_Doubt]:
    first: dict[object, str] = {}
    for name, homey in document.homeys.items():
        earlier = first.setdefault((homey.cloudid, _account(homey)), name)
        if earlier != name:
            yield (
                ("homeys", name, "cloudid"),
                f"is the same Homey and account as homeys.{earlier}",
                "Keep one of them: each costs sign-ins, and one token serves both.",
            )


def _account(homey: HomeyDocument) -> object:
    email: SecretRef = homey.email
    return email.source, email.plain, email.argument, email.argv
