"""The terminal that the process was started on."""

import errno
import termios


def terminal_is_closed() -> bool:
    """Return whether a standard stream is connected to a terminal that was closed.

    A stream that was redirected, such as by ``nohup``, is not.
    """
    return any(_is_hung_up(stream) for stream in (0, 1, 2))


def _is_hung_up(descriptor: int) -> bool:
    try:
        termios.tcgetattr(descriptor)
    except termios.error as error:
        return errno.EIO in error.args
    return False
