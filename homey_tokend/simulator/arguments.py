"""The arguments of ``homey-tokend simulate``."""

import argparse
import base64
import binascii
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from homey_tokend.simulator import faultsfile
from homey_tokend.simulator.settings import (
    CONSENTS,
    COVERS,
    CSRF_FIELDS,
    ROTATIONS,
    SLASHES,
    Settings,
    Switches,
)


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the command line says."""

    settings: Settings
    host: str
    port: int
    ssl_context: ssl.SSLContext | None
    log: Path | None


#: Each variation in a few words; docs/simulator.md has more.
_ABOUT = {
    "csrf_field": "how the consent page writes its hidden field",
    "consent": "direct: the code comes at once; remember: from the second sign-in on",
    "covers": "chosen: a consent opens the chosen Homey only",
    "rotation": "what becomes of a refresh token that is used; none: there is none",
    "slash": "refused: a variable's path ends without one",
    "extra_cookies": "a load balancer's around the one that counts",
    "expires_in_text": 'as "3660", not as a number',
    "password_grant": "the client may use it",
    "expires_at": "a session does not tell its end",
    "code_once": "a code may be used again while it lives",
    "remote_url": "the account names no address",
}


def read(argv: Sequence[str]) -> Arguments:
    """Read the command line and the files it names.

    Raises:
        SystemExit: For wrong usage (2) and ``--help`` (0).
        OSError: Where a file cannot be read.
        FaultsInvalid: Where the faults file cannot be used.
    """
    told = parser().parse_args(argv)
    return Arguments(_settings(told), told.host, told.port, _tls(told), told.log)


def parser() -> argparse.ArgumentParser:
    """Make the parser; the program's command line can show its help too."""
    made = argparse.ArgumentParser(
        prog="homey-tokend simulate",
        description="A pretend Athom cloud and pretend Homeys on one port. Prints one JSON line "
        "on stdout when it listens; logs to stderr.",
    )
    made.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    made.add_argument("--port", type=_port, default=0, help="TCP port; 0 takes a free one")
    made.add_argument("--homeys", type=_some, default=1, metavar="N", help="how many (1)")
    made.add_argument("--faults", type=Path, metavar="FILE", help="scripted trouble")
    made.add_argument("--log", type=Path, metavar="FILE", help="log there, not to stderr")
    made.add_argument("--seed", type=int, metavar="N", help="the same ids and tokens each time")
    made.add_argument("--tls-cert", type=Path, metavar="FILE", help="serve https with it (PEM)")
    made.add_argument("--tls-key", type=Path, metavar="FILE", help="its key, if not in it")
    _add_identities(made)
    _add_lives(made)
    _add_switches(made)
    return made


def _add_identities(made: argparse.ArgumentParser) -> None:
    plain = Settings()
    group = made.add_argument_group("identities (invented ones by default)")
    for name in ("email", "password", "client_id", "client_secret", "redirect_uri"):
        group.add_argument(_flag(name), default=getattr(plain, name), metavar="TEXT")
    group.add_argument(
        "--totp-secret", type=_base32, metavar="BASE32", help="the account asks for one-time codes"
    )


def _add_lives(made: argparse.ArgumentParser) -> None:
    plain = Settings()
    group = made.add_argument_group("life spans in seconds")
    for name in ("session", "access", "refresh", "code", "user_token", "delegation"):
        field = f"{name}_lifetime"
        default = getattr(plain, field)
        said = "for ever" if default is None else f"{default:g}"
        group.add_argument(_flag(field), type=_span, default=default, metavar="S", help=said)


def _add_switches(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("variations of the wire")
    for name, choices in (
        ("csrf_field", CSRF_FIELDS),
        ("consent", CONSENTS),
        ("covers", COVERS),
        ("rotation", ROTATIONS),
        ("slash", SLASHES),
    ):
        default, about = getattr(Switches(), name), _ABOUT[name]
        group.add_argument(_flag(name), choices=choices, default=default, help=about)
    group.add_argument("--api-version", type=int, choices=(2, 3), default=2, help="of the Homeys")
    scopes = ",".join(Switches().scopes)
    group.add_argument(
        "--scopes", metavar="A,B", default=scopes, help="of the client (%(default)s)"
    )
    group.add_argument(
        "--clock-skew", type=float, default=0.0, metavar="S", help="added to the Date header"
    )
    for name in ("extra_cookies", "expires_in_text", "password_grant"):
        group.add_argument(_flag(name), action="store_true", help=_ABOUT[name])
    for name in ("expires_at", "code_once", "remote_url"):
        flag = f"--no-{_flag(name)[2:]}"
        group.add_argument(flag, dest=name, action="store_false", help=_ABOUT[name])


def _settings(told: argparse.Namespace) -> Settings:
    faults = faultsfile.load(told.faults) if told.faults else ()
    switches = {
        name: getattr(told, name) for name in Switches.__dataclass_fields__ if name != "scopes"
    }
    values = {
        name: getattr(told, name)
        for name in Settings.__dataclass_fields__
        if name not in ("faults", "switches")
    }
    scopes = tuple(scope.strip() for scope in told.scopes.split(",") if scope.strip())
    return Settings(**values, faults=faults, switches=Switches(**switches, scopes=scopes))


def _tls(told: argparse.Namespace) -> ssl.SSLContext | None:
    if told.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(told.tls_cert, told.tls_key)
    return context


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is from 0 to 65535")
    return port


def _some(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 1_000:
        raise argparse.ArgumentTypeError("from 1 to 1000")
    return count


def _span(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e10:
        raise argparse.ArgumentTypeError("more than 0 seconds")
    return seconds


def _base32(text: str) -> str:
    plain = text.replace(" ", "").upper()
    try:
        base64.b32decode(plain + "=" * (-len(plain) % 8))
    except binascii.Error as trouble:
        raise argparse.ArgumentTypeError("not base32") from trouble
    return text
