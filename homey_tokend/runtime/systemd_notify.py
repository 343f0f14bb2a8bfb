"""Notify systemd about the state of the service (sd_notify(3), NOTIFY_SOCKET)."""

import os
import re
import socket
import time
from collections.abc import Mapping
from datetime import timedelta

import structlog

log = structlog.get_logger()
#: The shortest interval, whatever the watchdog's timeout: with none the daemon does nothing else.
_SHORTEST = timedelta(milliseconds=100)


class SystemdNotifier:
    """Send notifications to the service manager; without one, do nothing.

    Args:
        environ: The environment, for ``NOTIFY_SOCKET`` and ``WATCHDOG_USEC``.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ is an abstract socket: its name starts with a zero byte.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._last = ""
        #: What systemd was too busy to take, by its name: it is sent before the next one.
        self._unsent: dict[str, str] = {}
        self._watchdog = _watchdog(environ)

    def interval(self, span: timedelta) -> timedelta:
        """Return the interval for ``alive``: ``span``, or a third of the watchdog timeout if shorter.

        It is at least 100 ms.
        """
        if self._watchdog is None:
            return span
        return max(_SHORTEST, min(span, self._watchdog / 3))

    def ready(self) -> None:
        """Report that the daemon runs; its socket answers, unless ``status`` says otherwise."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """Set the line of ``systemctl status``; sent when it changes."""
        line = text.replace("\n", " ")
        if line != self._last:
            self._last = line
            self._send(f"STATUS={line}")

    def reloading(self) -> None:
        """Report a reload, which ``ready`` ends (Type=notify and notify-reload)."""
        self._send(
            f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
        )

    def stopping(self) -> None:
        """Report that the daemon is stopping."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Report that the event loop and the scheduler run (WatchdogSec=)."""
        self._send("WATCHDOG=1")

    def _send(self, line: str) -> None:
        if not self._address:
            return
        name = line.partition("=")[0]
        self._unsent.pop(name, None)
        self._unsent[name] = line
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                while self._unsent:
                    name = next(iter(self._unsent))
                    line = self._unsent.pop(name)
                    sock.sendto(line.encode(), self._address)
        except BlockingIOError:
            self._unsent = {name: line, **self._unsent}
        except OSError as error:
            log.debug("systemd.notify_failed", reason=error.strerror or type(error).__name__)


def _watchdog(environ: Mapping[str, str]) -> timedelta | None:
    """Return the watchdog timeout of the service (sd_watchdog_enabled(3)), or None."""
    text, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID")
    if not re.fullmatch("[0-9]{1,19}", text) or int(text) == 0:
        return None
    if pid is not None and pid != str(os.getpid()):
        return None
    return timedelta(microseconds=int(text))
