"""Standard output and error of the commands. Imports nothing heavy: ``token`` must start fast."""

import sys


def write(text: str) -> None:
    """Write text to stdout, with a blank in place of each unprintable character.

    Raises:
        OSError: stdout is closed or cannot be written.
    """
    if sys.stdout is None:
        raise OSError(0, "stdout is closed")
    sys.stdout.write(printable_lines(text))


def write_bytes(data: bytes) -> None:
    """Write bytes to stdout unchanged.

    Raises:
        OSError: stdout is closed or cannot be written.
    """
    write("")
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def write_json(value: object) -> None:
    """Write a JSON value for people: indented, in ASCII.

    Raises:
        ClientError: It is nested too deep.
        OSError: stdout is closed or cannot be written.
    """
    import json  # noqa: PLC0415  a token does not need it

    from homey_tokend.client.errors import unusable_response  # noqa: PLC0415  as above

    try:
        text = json.dumps(value, indent=2)
    except RecursionError:
        raise unusable_response("the response is nested too deep") from None
    write(text + "\n")


def report(message: str, hint: str, status: int) -> int:
    """Write an error message and a hint to stderr, and return the exit status."""
    tail = f"\n{hint}" if hint else ""
    sys.stderr.write(printable_lines(f"homey-tokend: {message}{tail}\n"))
    return status


def printable_lines(text: str) -> str:
    """Return lines without what a terminal could take for a command."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)
