"""Write docs/man/ from the output of --help and from the configuration's models.

``python -m tests.support.man_pages``; a test compares them.
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from homey_tokend.cli import parser as cli
from homey_tokend.config import schema
from homey_tokend.config.environment import DAEMON_VARIABLES, HOMEY_VARIABLES
from homey_tokend.config.model import SECTIONS
from homey_tokend.core.secret import SECRET_KEYS
from tests.support.cli_page import TAIL

FOLDER = Path(__file__).parents[2] / "docs" / "man"

#: Secrets have one schema; these sources are described once.
_SOURCES = ("FileSource", "EnvSource", "CredentialSource", "CommandSource")

_FILES = {
    "/etc/homey-tokend/config.yaml": "The configuration: homey-tokend.yaml(5).",
    "/etc/homey-tokend/credentials/": "The secrets of the systemd service, one in each file.",
    "/run/homey-tokend/homey-tokend.sock": "The socket.",
    "/var/lib/homey-tokend/state.json": "The current token, and the history of failures.",
}


def pages() -> dict[str, str]:
    """Return each page by its file's name."""
    return {"homey-tokend.1": command_page(), "homey-tokend.yaml.5": configuration_page()}


def command_page() -> str:
    """Return ``homey-tokend(1)``."""
    lines = [
        *_title("HOMEY-TOKEND", 1),
        ".SH NAME",
        "homey-tokend \\- keeps a valid Homey bearer token ready",
        ".SH SYNOPSIS",
        ".B homey-tokend",
        "COMMAND [OPTION ...]",
        ".SH DESCRIPTION",
        _plain(
            "Signs in to an Athom account before the current bearer token expires, verifies the "
            "new one with the Homey, and provides it on a unix socket, in a Homey logic variable, "
            "in files and to commands. homey-tokend.yaml(5) describes the configuration."
        ),
        ".SH COMMANDS",
    ]
    for name in cli.COMMANDS:
        lines += _command(name, cli.command_parser(name))
    lines += [".SH EXIT STATUS"]
    for status, meaning in re.findall(r"^\| (\d+) \| (.*) \|$", TAIL, re.MULTILINE):
        lines += [".TP", f".B {status}", _plain(meaning)]
    lines += [".SH FILES"]
    for path, meaning in _FILES.items():
        lines += [".TP", f".I {_plain(path)}", _plain(meaning)]
    return _ended([*lines, ".SH SEE ALSO", ".BR homey-tokend.yaml (5),", ".BR systemctl (1)"])


def configuration_page() -> str:
    """Return ``homey-tokend.yaml(5)``."""
    made = schema()
    lines = [
        *_title("HOMEY-TOKEND.YAML", 5),
        ".SH NAME",
        "homey-tokend.yaml \\- configuration of homey-tokend",
        ".SH DESCRIPTION",
        _plain(
            "One YAML file, looked for at --config, $HOMEY_TOKEND_CONFIG, "
            "$CONFIGURATION_DIRECTORY/config.yaml, /etc/homey-tokend/config.yaml and "
            "~/.config/homey-tokend/config.yaml; without any, the environment. "
            "A duration is a number of seconds, or has a unit: ms, s, m, h, d. "
            "homey-tokend check reports all of its errors."
        ),
        ".SH SECRETS",
        _plain(f"{', '.join(SECRET_KEYS)} are a text, or one of these:"),
    ]
    for source, meaning in _places(made["$defs"]):
        lines += [".TP", f".B {_plain(source)}", _plain(meaning)]
    lines += [".SH KEYS"]
    for path, model in SECTIONS.items():
        shape = made if not path else made["$defs"][model.__name__]
        lines += _section(path, shape, made["$defs"])
    lines += [
        ".SH ENVIRONMENT",
        _plain(
            "Used without a configuration file. A variable of the Homey with _FILE added to its "
            "name is the path of a file with the value."
        ),
    ]
    for name, place in (*HOMEY_VARIABLES.items(), *DAEMON_VARIABLES.items()):
        lines += [".TP", f".B {_plain(name)}", _plain(".".join(place))]
    return _ended([*lines, ".SH SEE ALSO", ".BR homey-tokend (1)"])


def _title(name: str, section: int) -> list[str]:
    head = '.\\" Written by python -m tests.support.man_pages; a test compares them.'
    return [head, f'.TH {name} {section} "" "homey-tokend" "Homey bearer tokens"']


def _ended(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    yield f".SS {_plain(name)}"
    yield _plain(parser.description or "")
    yield ".PP"
    yield f".B {_plain(usage)}"
    for argument, text in _arguments(parser):
        yield from (".TP", f".B {_plain(argument)}", _plain(text))
    if parser.epilog:
        yield from (".PP", ".nf")
        yield from (_plain(line) for line in parser.epilog.rstrip().splitlines())
        yield ".fi"


def _arguments(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Yield the spelling of each argument and its help, as ``--help`` prints them."""
    arguments: list[list[str]] = []
    for line in parser.format_help().partition(parser.epilog or "\0")[0].splitlines():
        indent = len(line) - len(line.lstrip())
        if indent == 2:
            arguments.append([*line.strip().split("  ", 1), ""][:2])
        elif indent > 2 and arguments:
            arguments[-1][1] += f" {line.strip()}"
    for argument, text in arguments:
        if argument != "-h, --help":
            yield argument, " ".join(text.split())


def _section(
    path: tuple[str, ...], made: Mapping[str, Any], shapes: Mapping[str, Any]
) -> Iterator[str]:
    if path:
        yield f".SS {_plain(_place(path))}"
    yield _plain(str(made.get("description", "")))
    required = made.get("required", ())
    for key, value in made["properties"].items():
        if key == "type" and path[-2:-1] == ("*",):
            continue
        yield from (".TP", f".B {_plain(key)}")
        shape = shapes.get(value.get("$ref", "").rpartition("/")[2], {})
        yield _plain(" ".join(_description({**shape, **value}, required=key in required)))


def _description(value: Mapping[str, Any], *, required: bool) -> Iterator[str]:
    described = str(value.get("description", ""))
    yield described
    if required:
        yield "Required."
    elif value.get("default", {}) not in ({}, []) and "Default:" not in described:
        default = value["default"]
        yield f"Default: {default if isinstance(default, str) else json.dumps(default)}."
    if value.get("enum"):
        yield f"One of: {', '.join(map(str, value['enum']))}."


def _place(path: tuple[str, ...]) -> str:
    """Return the heading of a sink's type, such as ``homeys.NAME.sinks: type file``."""
    if len(path) == 5:
        return f"homeys.NAME.sinks, type: {path[-1]}"
    return ".".join("NAME" if part == "*" else part for part in path)


def _places(shapes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for model in _SOURCES:
        for name, value in shapes[model]["properties"].items():
            yield f"{{{name}: ...}}", value["description"]


def _plain(text: str) -> str:
    """Return text for roff: no request, no escape, and dashes as they are typed."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, page in pages().items():
        (FOLDER / name).write_text(page, encoding="utf-8")
