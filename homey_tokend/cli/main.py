"""Where the console script begins: ``token`` goes the short way, all else to ``cli.py``.

Whatever is imported here delays every ``homey-tokend token``.
"""

import os
import sys

from homey_tokend import exit_codes


def main() -> int:
    """Run the command line.

    Returns:
        The exit status (``exits.py``).
    """
    try:
        status = _main(sys.argv[1:])
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return exit_codes.BROKEN_PIPE
    except OSError as error:
        _discard_output()
        sys.stderr.write(f"homey-tokend: the output cannot be written: {error.strerror}\n")
        return exit_codes.CANNOT_WRITE
    return status


def _main(words: list[str]) -> int:
    if words[:1] == ["token"]:
        from homey_tokend import client  # noqa: PLC0415  each command imports only its own
        from homey_tokend.cli import token  # noqa: PLC0415  as above

        try:
            status = token.run_fast(words[1:])
        except client.ClientError as error:
            return report(error.message, error.hint, error.exit_status)
        if status is not None:
            return status
    _heed_early(words)
    from homey_tokend.cli import parser  # noqa: PLC0415  the long way

    return parser.main(words)


def _heed_early(words: list[str]) -> None:
    """Let a stop be heard while the imports of ``run`` are under way: nothing has begun yet.

    The first process of a container has no signal that ends it by default: without this, a
    stop right after the start is lost. The image blocks SIGTERM until here for the same reason.
    """
    import signal  # noqa: PLC0415  not for the short way

    if words[:1] == ["run"]:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: os._exit(exit_codes.OK))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def report(message: str, hint: str, status: int) -> int:
    """Say on stderr what is wrong and what to do, and return the exit status."""
    tail = f"\n{hint}" if hint else ""
    sys.stderr.write(f"homey-tokend: {message}{tail}\n")
    return status


def write(text: str) -> None:
    """Write to stdout.

    Raises:
        OSError: It is closed, or takes no more.
    """
    if sys.stdout is None:
        raise OSError(0, "stdout is closed")
    sys.stdout.write(text)


def write_bytes(data: bytes) -> None:
    """Write to stdout as it is.

    Raises:
        OSError: It is closed, or takes no more.
    """
    write("")
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def _discard_output() -> None:
    """Let Python's own flush at the end meet no closed pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
