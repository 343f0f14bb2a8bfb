"""YAML text to a positioned tree: the only place that knows PyYAML.

PyYAML gives events, and the tree is built here from them, one after the other. Its own
composer recurses, lets the last of duplicate keys win and expands aliases without a
bound; its constructor makes 83 of ``0123``. None of its texts reaches a user: they may
repeat what stands in the file, and that may be a password.

The pure-Python scanner is used even where libyaml is there, so that every machine tells
the same places; with the bounds below 1 MiB takes it a second or two.
"""

from collections.abc import Iterator

import yaml

from homey_tokend.config.build import Builder
from homey_tokend.config.decode import invalid
from homey_tokend.config.nodes import Mark, Node, ScalarNode
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid

#: PyYAML's problems (scanner.py, parser.py of 6.0), by how they begin, in our words.
_PROBLEMS = (
    ("mapping values are not allowed", "a colon stands where none belongs",
     "Quote text that holds a colon and a blank, and check the indentation."),
    ("could not find expected ':'", "a key has no colon, or a text goes on without indentation",
     "Write key, colon, blank, value on one line."),
    ("expected <block end>", "the indentation does not fit the lines above",
     "Indent keys of one mapping alike."),
    ("found unexpected end of stream", "a quote is opened and never closed", "Close it."),
    ("found unknown escape character", "a backslash is followed by a character without meaning",
     "Use single quotes, in which a backslash is a backslash."),
)  # fmt: skip

#: By the character at the place, where that tells more than PyYAML does.
_STARTS = {
    "\t": ("a tab stands where blanks belong", "Indent with blanks."),
    "@": ("a value starts with @", "Put it in quotes."),
    "`": ("a value starts with a backtick", "Put it in quotes."),
    "%": ("a value starts with %", "Put it in quotes."),
    "*": ("a value starts with *, which names an alias", "Put it in quotes if it is text."),
    "&": ("a value starts with &, which names an anchor", "Put it in quotes if it is text."),
    "!": ("a value starts with !, which names a tag", "Put it in quotes if it is text."),
}


def tree(text: str, source: str) -> tuple[Node, list[ConfigFault]]:
    """The tree of a YAML text, and the faults that do not keep it from being one.

    Args:
        text: The whole of the file.
        source: The file's name.

    Raises:
        ConfigurationInvalid: There is no tree: a mistake of syntax, nothing at all, several
            documents, or something beyond a bound.
    """
    builder = Builder(source)
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.YAMLError as exc:
        raise ConfigurationInvalid([*builder.faults, _syntax(exc, text, source)]) from None
    root = builder.root
    if root is None or (isinstance(root, ScalarNode) and root.text.null):
        raise invalid(source, Mark(1, 1), "is empty", "Start from config.example.yaml.")
    return root, builder.faults


def _events(text: str) -> Iterator[yaml.Event]:
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_event():
            yield loader.get_event()  # type: ignore[no-untyped-call]  # types-PyYAML leaves it untyped
    except (ValueError, OverflowError):
        # Why not YAMLError? chr() of an escape such as "\UFFFFFFFF" is not checked upstream.
        mark = loader.get_mark()
        raise yaml.MarkedYAMLError(problem="", problem_mark=mark) from None
    finally:
        loader.dispose()


def _syntax(exc: yaml.YAMLError, text: str, source: str) -> ConfigFault:
    mark = getattr(exc, "problem_mark", None)
    problem = getattr(exc, "problem", None) or ""
    line, column, index = (mark.line + 1, mark.column + 1, mark.index) if mark else (0, 0, -1)
    words = _STARTS.get(text[index : index + 1]) if "cannot start" in problem else None
    for start, message, remedy in _PROBLEMS:
        if words is None and problem.startswith(start):
            words = (message, remedy)
    message, remedy = words or (
        "is not YAML from here on",
        "Check quotes, brackets and indentation just before this place.",
    )
    return ConfigFault(source, line, column, "", message, remedy)
