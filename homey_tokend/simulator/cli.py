"""The command ``homey-tokend simulate``: the simulator alone."""

import argparse
import asyncio
import base64
import binascii
import json
import os
import queue
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TextIO, get_args

from homey_tokend.simulator import fault_file
from homey_tokend.simulator.homey_state import timestamp
from homey_tokend.simulator.server import Simulator
from homey_tokend.simulator.settings import (
    Consent,
    Covers,
    CsrfField,
    Rotation,
    Settings,
    Slash,
    Switches,
)

#: Exit statuses of sysexits.h, as in the rest of the program.
USAGE, UNAVAILABLE, CONFIG = 64, 69, 78

#: Logs an event with its fields; it never blocks.
Log = Callable[[str, Mapping[str, object]], None]

#: Log lines that can wait for a slow reader; further ones are dropped.
_QUEUED_LINES = 10_000


@dataclass(frozen=True, slots=True)
class Arguments:
    """The command line, read and checked."""

    settings: Settings
    host: str
    port: int
    ssl_context: ssl.SSLContext | None
    log: Path | None


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT.

    Args:
        argv: Arguments after the command's name.

    Returns:
        0 after a signal; 64 wrong usage; 69 the address is not available; 78 the fault
        file or the certificate cannot be used.
    """
    try:
        arguments = parse(argv)
        out = sys.stderr if arguments.log is None else arguments.log.open("a", encoding="utf-8")
    except fault_file.FaultsInvalid as error:
        return _fail(CONFIG, *error.errors)
    except OSError as error:
        return _fail(CONFIG, _file_error(error))
    except SystemExit as leaving:
        return USAGE if leaving.code else 0
    with _log_lines(out) as log:
        try:
            asyncio.run(_serve(arguments, log))
        except OSError as error:
            where = f"{arguments.host}:{arguments.port}"
            return _fail(UNAVAILABLE, f"cannot listen on {where}: {_reason(error)}")
    return 0


def parse(argv: Sequence[str]) -> Arguments:
    """Parse the command line and read the files it names.

    Raises:
        SystemExit: For wrong usage (2) and ``--help`` (0).
        OSError: A file cannot be read.
        FaultsInvalid: The fault file is invalid.
    """
    parser = argparse.ArgumentParser(prog="homey-tokend simulate")
    add_arguments(parser)
    parsed = parser.parse_args(argv)
    values = vars(parsed)
    switches = Switches(**{one.name: values[one.name] for one in fields(Switches)})
    given = {one.name: values[one.name] for one in fields(Settings) if one.name in values}
    given["faults"] = fault_file.load(parsed.faults) if parsed.faults else ()
    settings = Settings(**given, switches=switches)
    context = None
    if parsed.tls_cert is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(parsed.tls_cert, parsed.tls_key)
    return Arguments(settings, parsed.host, parsed.port, context, parsed.log)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=0, help="TCP port; 0 takes a free one")
    parser.add_argument("--homeys", type=_count, default=1, metavar="N", help="how many (1)")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="scripted faults")
    parser.add_argument("--log", type=Path, metavar="FILE", help="log there, not to stderr")
    parser.add_argument("--seed", type=int, metavar="N", help="the same ids and tokens each time")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="serve https with it (PEM)")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its key, if not in it")
    _add_identities(parser)
    _add_lifetimes(parser)
    _add_switches(parser)


def _add_identities(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("identities (invented ones by default)")
    for name in ("email", "password", "client_id", "client_secret", "redirect_uri"):
        group.add_argument(_flag(name), default=getattr(Settings(), name), metavar="TEXT")
    group.add_argument(
        "--totp-secret", type=_base32, metavar="BASE32", help="the account asks for one-time codes"
    )


def _add_lifetimes(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("lifetimes in seconds")
    for name in ("session", "access", "refresh", "code", "user_token", "delegation"):
        field = f"{name}_lifetime"
        default = getattr(Settings(), field)
        text = "unlimited" if default is None else f"{default:g}"
        group.add_argument(_flag(field), type=_seconds, default=default, metavar="S", help=text)


def _add_switches(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("variations of the protocol")
    for name, values, text in (
        ("csrf_field", CsrfField, "how the consent page writes its hidden field"),
        (
            "consent",
            Consent,
            "direct: the code comes at once; remember: from the second sign-in on",
        ),
        ("covers", Covers, "chosen: a consent opens the chosen Homey only"),
        ("rotation", Rotation, "what a refresh does to the old refresh token; none: returns none"),
        ("slash", Slash, "refused: the path of a variable with a slash at its end is 404"),
    ):
        default = getattr(Switches(), name)
        group.add_argument(_flag(name), choices=get_args(values), default=default, help=text)
    group.add_argument("--api-version", type=int, choices=(2, 3), default=2, help="of the Homeys")
    scopes = ",".join(Switches().scopes)
    group.add_argument(
        "--scopes", type=_names, metavar="A,B", default=scopes, help="of the client (%(default)s)"
    )
    group.add_argument(
        "--clock-skew", type=float, default=0.0, metavar="S", help="added to the Date header"
    )
    for name, text in (
        ("extra_cookies", "also send a load balancer's cookies"),
        ("expires_in_text", 'expires_in is "3660", not a number'),
        ("password_grant", "the client may use the password grant"),
    ):
        group.add_argument(_flag(name), action="store_true", help=text)
    for name, text in (
        ("expires_at", "session/me has no expiresAt"),
        ("code_once", "a code may be used again within its lifetime"),
        ("remote_url", "the account lists its Homeys without an address"),
    ):
        group.add_argument(_flag(f"no_{name}"), dest=name, action="store_false", help=text)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is from 0 to 65535")
    return port


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 1_000:
        raise argparse.ArgumentTypeError("from 1 to 1000")
    return count


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e10:
        raise argparse.ArgumentTypeError("more than 0 seconds")
    return seconds


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _base32(text: str) -> str:
    plain = text.replace(" ", "").upper()
    try:
        base64.b32decode(plain + "=" * (-len(plain) % 8))
    except binascii.Error as error:
        raise argparse.ArgumentTypeError("not base32") from error
    return text


async def _serve(arguments: Arguments, log: Log) -> None:
    simulator = Simulator(
        arguments.settings,
        host=arguments.host,
        port=arguments.port,
        ssl_context=arguments.ssl_context,
        log=lambda fields: log("request.answered", fields),
    )
    signaled = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, signaled.set)
    async with simulator:
        sys.stdout.write(json.dumps(simulator.description()) + "\n")
        sys.stdout.flush()
        log("simulator.started", {"url": simulator.base_url})
        await signaled.wait()
    log("simulator.stopped", {})


@contextmanager
def _log_lines(out: TextIO) -> Iterator[Log]:
    """Write JSON lines in a separate thread, so that a full pipe delays no request."""
    lines: queue.Queue[str | None] = queue.Queue(_QUEUED_LINES)

    def log(event: str, fields: Mapping[str, object]) -> None:
        line = json.dumps({"at": timestamp(time.time()), "event": event, **fields})
        with suppress(queue.Full):
            lines.put_nowait(line)

    def write() -> None:
        while (line := lines.get()) is not None:
            out.write(line + "\n")
            out.flush()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield log
    finally:
        with suppress(queue.Full):
            lines.put_nowait(None)
        writer.join(1)
        if out is not sys.stderr:
            out.close()


def _file_error(error: OSError) -> str:
    """Return the file and the reason; OpenSSL does not report which of its two files it is."""
    if isinstance(error, ssl.SSLError):
        return "--tls-cert: holds no certificate with its key, in PEM; see --tls-key"
    return f"{error.filename or '--tls-cert or --tls-key'}: {_reason(error)}"


def _reason(error: OSError) -> str:
    """Return the system's text: asyncio adds its own before it, getaddrinfo has no errno."""
    known = error.errno is not None and error.errno > 0
    return (os.strerror(error.errno or 0) if known else str(error.strerror)).lower()


def _fail(status: int, *texts: str) -> int:
    for text in texts:
        sys.stderr.write(f"{text}\n")
    return status
