"""``homey-tokend token``: print the token, and nothing else.

The arguments are parsed by hand, because argparse costs more than the whole command;
``configure`` declares the same arguments for ``--help`` and for error messages.
"""

from homey_tokend import client, exit_codes
from homey_tokend.cli.output import report, write
from homey_tokend.client.errors import unusable_response

TYPE_CHECKING = False  # type checkers know the name; importing typing costs too much here
if TYPE_CHECKING:
    import argparse

#: The most characters of a token document.
_MAX_DOCUMENT = 65536
#: The most characters of a name that are repeated.
_MAX_NAME = 64
#: The options with a value, and their names among the arguments.
_OPTIONS = {"--min-ttl": "min_ttl", "--wait": "wait", "--socket": "socket"}


def run_fast(words: list[str]) -> int | None:
    """Run the command without argparse.

    Args:
        words: The command line after ``token``.

    Returns:
        The exit status, or None if argparse has to parse it.
    """
    arguments = parse(words)
    if arguments is None:
        return None
    try:
        return _print(arguments)
    except client.ClientError as error:
        return report(error.message, error.hint, error.exit_status)


def configure(parser: "argparse.ArgumentParser") -> None:
    """Declare the arguments."""
    parser.add_argument("homey", nargs="?", metavar="NAME", help="which Homey; optional with one")
    add_token_options(parser)
    parser.add_argument("--json", action="store_true", help="print token, expiry and URL as JSON")
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.epilog = (
        'example:\n  curl -H "Authorization: Bearer $(homey-tokend token home --min-ttl 10m)" ...\n'
    )


def add_token_options(parser: "argparse.ArgumentParser") -> None:
    """Declare ``--min-ttl`` and ``--wait``."""
    parser.add_argument(
        "--min-ttl",
        metavar="S",
        help="the least remaining lifetime (600, 10m); with less, wait for one refresh",
    )
    parser.add_argument(
        "--wait",
        metavar="S",
        help="how long to wait for a token (default: 30s with --min-ttl, else no wait; at most 300s)",
    )


def run(args: "argparse.Namespace") -> int:
    """Print the token.

    Raises:
        ClientError: There is no token.
    """
    return _print(vars(args))


def _print(arguments: dict[str, object]) -> int:
    try:
        return _print_token(arguments)
    except client.ClientError as error:
        if error.problem.get("kind") == "homey_required":
            names = error.problem.get("homeys")
            name = str(names[0])[:_MAX_NAME] if isinstance(names, list) and names else ""
            usable = name if name.isprintable() else ""
            error.hint = f"Name one: homey-tokend token {usable or 'NAME'}"
        raise


def _print_token(arguments: dict[str, object]) -> int:
    def text(name: str) -> str | None:
        value = arguments.get(name)
        return value if isinstance(value, str) else None

    wishes = [text(name) for name in ("homey", "min_ttl", "wait", "socket")]
    if arguments.get("json") is not True:
        write(client.token(*wishes) + "\n")
        return exit_codes.OK
    document = client.ask_token(*wishes, as_json=True).body.decode("utf-8", "replace")
    line = document.rstrip("\n")
    if len(line) > _MAX_DOCUMENT or not line.isprintable():
        raise unusable_response("the answer is not a token document")
    write(line + "\n")
    return exit_codes.OK


def parse(words: list[str]) -> dict[str, object] | None:
    """Return the arguments, or None if anything about them is doubtful."""
    arguments: dict[str, object] = {}
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if word == "--json":
            arguments["json"] = True
        elif option in _OPTIONS:
            given = value if equals else next(rest, None)
            if given is None or (given.startswith("-") and not equals):
                return None
            arguments[_OPTIONS[option]] = given
        elif word.startswith("-") or not word or "homey" in arguments:
            return None
        else:
            arguments["homey"] = word
    return arguments
