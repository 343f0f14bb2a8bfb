"""The entry point of the console script: ``token`` takes a fast path, the rest ``parser``.

Every import here delays ``homey-tokend token``.
"""

import os
import sys

from homey_tokend import exit_codes
from homey_tokend.cli.output import report


def main() -> int:
    """Run the command line and return the exit status (``exit_codes``)."""
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
        return report(
            f"the output cannot be written: {error.strerror}", "", exit_codes.CANNOT_WRITE
        )
    return status


def _main(words: list[str]) -> int:
    if words[:1] == ["token"]:
        from homey_tokend.cli import token  # noqa: PLC0415  only where it is needed

        status = token.run_fast(words[1:])
        if status is not None:
            return status
    _handle_early_signals(words)
    _write_no_tls_keys(words)
    if words[:1] == ["run"]:
        import gc  # noqa: PLC0415  not on the fast path

        gc.disable()  # until ``runtime.hardening.collect_garbage``
    from homey_tokend.cli import parser  # noqa: PLC0415  not on the fast path

    return parser.main(words)


def _handle_early_signals(words: list[str]) -> None:
    """Let SIGTERM and SIGINT end ``run`` during its imports, and keep SIGHUP until it can reload.

    The first process of a container ignores signals without a handler. For the same reason the
    image blocks SIGTERM until here.
    """
    import signal  # noqa: PLC0415  not on the fast path

    if words[:1] == ["run"]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: os._exit(exit_codes.OK))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _write_no_tls_keys(words: list[str]) -> None:
    """Keep Python from writing the keys of TLS to a file: with them the password can be read.

    The variable stays, empty, for a warning (``rights_warnings``).
    """
    if words[:1] in (["run"], ["once"], ["check"], ["init"]) and "SSLKEYLOGFILE" in os.environ:
        os.environ["SSLKEYLOGFILE"] = ""


def _discard_output() -> None:
    """Redirect stdout, so that Python's flush at exit succeeds."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
