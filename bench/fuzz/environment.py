"""Environment variables that the daemon reads, with values changed at random."""

import os
import traceback
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from random import Random

from yarl import URL

from bench.fuzz.mutate import CANARY, hides_canary, mutate, require
from homey_tokend.cli.rights import rights_warnings
from homey_tokend.config import Config, load
from homey_tokend.config.environment import KNOWN
from homey_tokend.config.locate import SystemPaths
from homey_tokend.core.errors import (
    CannotServe,
    ConfigFault,
    ConfigurationInvalid,
    SecretUnavailable,
)
from homey_tokend.credentials.checks import warnings
from homey_tokend.credentials.reader import SecretReader
from homey_tokend.http.authorities import authority_remedy, authority_warnings
from homey_tokend.http.proxy_env import ProxySettings, ProxyUnusable
from homey_tokend.runtime.process import child_environ
from homey_tokend.runtime.programs import program_fault
from homey_tokend.runtime.systemd_notify import SystemdNotifier
from homey_tokend.runtime.systemd_sockets import inherited_sockets
from homey_tokend.runtime.workers import WorkerPool

_PROXIES = (
    "http://proxy.example:3128", f"http://user:{CANARY}@proxy.example:3128", "proxy:8080", "https://[::1]:1",
    "socks5://127.0.0.1:1080", f"http://a%40b:{CANARY}#@p.example", "http://p.example:99999", "http://[fe80::1%25eth0]:8",
)  # fmt: skip
_NO_PROXIES = (
    "localhost,127.0.0.1", "*.athom.com accounts.athom.com", "10.0.0.0/8", "[::1]:443", "*", ".athom.com:443", "fe80::/10", "a..b",
)  # fmt: skip
_PATHS = (
    "{folder}/file",
    "{folder}",
    "{folder}/none",
    "/dev/null",
    "relative",
    "~/x",
    "{folder}/file:{folder}",
)
_SECRETS = (CANARY, f'"{CANARY}"', f"{CANARY}\r")
_PLAIN = (
    "you@example.com",
    "5a0000000000000000000001",
    "http://localhost/callback",
    "token",
    "null",
)
#: Values by the variable; any other of ``KNOWN`` gets one of ``_PLAIN``.
_VALUES = {
    "HOMEY_PASSWORD": _SECRETS, "HOMEY_CLIENT_SECRET": _SECRETS, "HOMEY_TOTP_SECRET": (*_SECRETS, "GEZDGNBVGY3TQOJQ"),
    "HOMEY_TOKEND_SOCKET": _PATHS, "HOMEY_TOKEND_STATE": _PATHS, "HOMEY_TOKEND_CONFIG": _PATHS,
    "HOMEY_TOKEND_SOCKET_MODE": ("0660", "660", "0o660", "9"), "HOMEY_TOKEND_LOG_LEVEL": ("info", "loud"),
    "HOMEY_TOKEND_HTTP_LISTEN": ("127.0.0.1:9099", "[::]:0", ":80"),
    "HOMEY_TOKEND_ENDPOINT_API": ("https://api.example", "http://localhost:1", "https://{cloudid}.x"),
    "HTTPS_PROXY": _PROXIES, "https_proxy": _PROXIES, "ALL_PROXY": _PROXIES, "Http_Proxy": _PROXIES,
    "NO_PROXY": _NO_PROXIES, "no_proxy": _NO_PROXIES,
    "SSL_CERT_FILE": _PATHS, "SSL_CERT_DIR": _PATHS, "REQUESTS_CA_BUNDLE": _PATHS, "CURL_CA_BUNDLE": _PATHS,
    "CREDENTIALS_DIRECTORY": _PATHS, "CONFIGURATION_DIRECTORY": _PATHS, "RUNTIME_DIRECTORY": _PATHS, "STATE_DIRECTORY": _PATHS,
    "XDG_CONFIG_HOME": _PATHS, "XDG_STATE_HOME": _PATHS, "XDG_RUNTIME_DIR": _PATHS, "HOME": _PATHS, "PATH": _PATHS,
    "NOTIFY_SOCKET": ("{folder}/notify", "@abstract-fuzz", "relative"), "WATCHDOG_USEC": ("30000000", "0", "-1"),
    "WATCHDOG_PID": ("{pid}", "1"), "LISTEN_PID": ("{pid}", "1"), "LISTEN_FDS": ("1", "2", "0"),
    "LISTEN_FDNAMES": ("a:b", ""),
}  # fmt: skip
_NAMES = sorted({*KNOWN, *_VALUES})
_TARGETS = [
    URL(each)
    for each in ("https://accounts.athom.com/login", "https://192.168.1.2", "https://[fe80::1]", "http://x.example")
]  # fmt: skip
#: No descriptor of this process, so that what ``LISTEN_FDS`` names is never open.
_CLOSED = 100_000

_LONG = timedelta(days=1)
Environ = dict[str, str]


class Target:
    """Whatever the environment holds, it is read, or is a fault or a warning of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._system = SystemPaths(folder / "none.yaml", folder, folder)
        self._workers = WorkerPool(2)
        (folder / "file").write_text("value\n", encoding="utf-8")

    def draw(self, rng: Random) -> Environ:
        names = rng.sample(_NAMES, rng.choice((1, 3, 8, 20)))
        if rng.random() < 0.6:
            names += [
                "HOMEY_EMAIL",
                "HOMEY_PASSWORD",
                "HOMEY_CLIENT_ID",
                "HOMEY_CLIENT_SECRET",
                "HOMEY_CLOUDID",
            ]
        return {self._name(rng, name): self._value(rng, name) for name in names}

    def _name(self, rng: Random, name: str) -> str:
        if rng.random() < 0.95:
            return name
        other = _text(mutate(rng, name.encode(), [b"_FILE", b"HOMEY_"])).replace("=", "")
        # A secret is none in a variable such as HOME.
        return name if other in {"", *_NAMES} else other

    def _value(self, rng: Random, name: str) -> str:
        known = _PATHS if name.endswith("_FILE") and name not in _VALUES else _PLAIN
        text = rng.choice(_VALUES.get(name, known))
        words = [
            b"http://",
            b"/" * 5000,
            b"[",
            b"]:",
            b"%25",
            b"*.",
            b"::",
            b"..",
            b"xn--",
            b"\xc3\xa9",
        ]
        return _text(mutate(rng, text.encode(), words))

    async def check(self, given: Environ) -> None:
        # Here, so that an input is the same in each run.
        given = {name: self._filled(value) for name, value in given.items()}
        config = self._load(given)
        _check_faults([*ProxySettings(given).warnings(), *authority_warnings(given)])
        for url in _TARGETS:
            _check_proxy(given, url)
        hides_canary(authority_remedy(given), "the remedy")
        _check_systemd(given)
        _check_child(given)
        if config is not None:
            await self._read_secrets(config, given)

    def _filled(self, value: str) -> str:
        return value.replace("{folder}", str(self._folder)).replace("{pid}", str(os.getpid()))

    def _load(self, environ: Environ) -> Config | None:
        environ = {"HOME": str(self._folder), **environ}
        try:
            config = load(None, environ, self._system)
        except ConfigurationInvalid as error:
            hides_canary("".join(traceback.format_exception(error)), "the error")
            _check_faults(error.faults)
            return None
        _check_faults(config.warnings)
        hides_canary(repr(config), "the configuration")
        return config

    async def _read_secrets(self, config: Config, environ: Environ) -> None:
        for homey in config.homeys.values():
            reader = SecretReader(
                homey, environ, lambda event, fields: hides_canary(f"{event} {fields}", "a warning"),
                workers=self._workers,
            )  # fmt: skip
            try:
                await reader.read()
            except SecretUnavailable as error:
                hides_canary("".join(traceback.format_exception(error)), "the error")
        for line in warnings(config, environ):
            hides_canary(line, "a warning")
        _check_faults(rights_warnings(config, environ, os.geteuid()))


def _text(data: bytes) -> str:
    return os.fsdecode(data.replace(b"\0", b""))


def _check_faults(faults: Iterable[ConfigFault]) -> None:
    for fault in faults:
        hides_canary(str(fault), "a fault")
        require(fault.message and fault.remedy, f"incomplete: {fault!r}")


def _check_proxy(environ: Environ, url: URL) -> None:
    try:
        proxy = ProxySettings(environ).of(url)
    except ProxyUnusable as error:
        hides_canary("".join(traceback.format_exception(error)), "the error")
        return
    hides_canary(repr(proxy), "the proxy")
    require(proxy is None or proxy.url.host, f"no host: {proxy}")


def _check_systemd(environ: Environ) -> None:
    notifier = SystemdNotifier(environ)
    notifier.ready()
    require(notifier.interval(_LONG) >= timedelta(milliseconds=100), "no interval")
    try:
        require(inherited_sockets(dict(environ), _CLOSED) == (), "a socket from nowhere")
    except CannotServe as error:
        require(error.message.isprintable() and error.remedy, f"not a message: {error!r}")


def _check_child(environ: Environ) -> None:
    inherited = child_environ(environ)
    require(
        not any(CANARY in v for k, v in inherited.items() if k.startswith("HOMEY_")),
        "a child gets a secret",
    )
    program_fault(("true",), inherited)
