"""``homey-tokend token``: the token on stdout, and nothing else.

Parsed by hand, because argparse alone would cost more than the whole command;
``configure`` says the same to argparse for ``--help``.
"""

from homey_tokend import client, exit_codes
from homey_tokend.cli.main import write

TYPE_CHECKING = False  # known to type checkers by its name; typing itself costs too much here
if TYPE_CHECKING:
    import argparse

#: Each option with the name it has among the arguments; None for a flag.
_OPTIONS = {"--min-ttl": "min_ttl", "--wait": "wait", "--socket": "socket"}


def run_fast(words: list[str]) -> int | None:
    """Run the command without argparse.

    Args:
        words: The command line after ``token``.

    Returns:
        The exit status, or None where argparse has to help or to complain.

    Raises:
        ClientError: No token.
    """
    asked = _understood(words)
    if asked is None:
        return None
    return _print(asked)


def configure(parser: "argparse.ArgumentParser") -> None:
    """Declare the arguments."""
    parser.add_argument("homey", nargs="?", metavar="NAME", help="which Homey; optional with one")
    parser.add_argument(
        "--min-ttl",
        metavar="S",
        help="how much life it shall have left (600, 10m): with less, one refresh is waited for",
    )
    parser.add_argument(
        "--wait",
        metavar="S",
        help="how long to wait for a token (default 30s with --min-ttl, else not at all; at most "
        "300s)",
    )
    parser.add_argument(
        "--json", action="store_true", help="the token with expiry and URL, as JSON"
    )
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.epilog = (
        'example:\n  curl -H "Authorization: Bearer $(homey-tokend token home --min-ttl 10m)" ...\n'
    )


def run(args: "argparse.Namespace") -> int:
    """Print the token.

    Raises:
        ClientError: No token.
    """
    return _print(vars(args))


def _print(asked: dict[str, object]) -> int:
    def text(name: str) -> str | None:
        value = asked.get(name)
        return value if isinstance(value, str) else None

    answer = client.ask_token(
        text("homey"),
        text("min_ttl"),
        text("wait"),
        text("socket"),
        as_json=asked.get("json") is True,
    )
    write(answer.body.decode("utf-8", "replace"))
    return exit_codes.OK


def _understood(words: list[str]) -> dict[str, object] | None:
    """The arguments, or None where they are not plain enough to be sure."""
    asked: dict[str, object] = {}
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if word == "--json":
            asked["json"] = True
        elif option in _OPTIONS:
            given = value if equals else next(rest, None)
            if given is None or (given.startswith("-") and not equals):
                return None
            asked[_OPTIONS[option]] = given
        elif word.startswith("-") or not word or "homey" in asked:
            return None
        else:
            asked["homey"] = word
    return asked
