"""Configuration files: the examples of this repository, changed at random."""

import re
import traceback
from pathlib import Path
from random import Random

from bench.fuzz.mutate import CANARY, hides_canary, mutate, require
from homey_tokend.config import load
from homey_tokend.config.locate import SystemPaths
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid

_ROOT = Path(__file__).parents[2]
_HOMEY = f"""\
homeys:
  home:
    email: you@example.com
    password: {CANARY}
    client_id: id
    client_secret: {CANARY}
    cloudid: cloudid
"""
_PASTED = (
    _HOMEY.replace("    ", "\u00a0" * 4),
    _HOMEY.replace(f" {CANARY}", f" \u201c{CANARY}\u201d"),
    f"```yaml\n{_HOMEY}```\n",
    _HOMEY.replace("    ", "  "),
    _HOMEY.replace(f"{CANARY}\n", f"{CANARY} #1 x\n"),
    _HOMEY.replace("\n", "\r\n"),
    _HOMEY.replace("password: ", "password:"),
    _HOMEY.replace(f"password: {CANARY}", f"password: {{{CANARY}}}"),
    f"{_HOMEY}    totp_secret: {CANARY}\n",
)
_TOKENS = [
    each.encode()
    for each in (
        *":-?[]{},&*!|>'\"%@`#~=", ": ", "- ", "? ", "\n  ", "\n    ", "&a ", "*a", "<<: *a\n", "!!python/object:os.system ",
        "!!binary ", "|\n", ">-\n", "---\n", "...\n", "%YAML 9.9\n", "null", "~", "yes", "1_000", "0x1f", ".inf", ".nan", "5.0",
        "12:34:56", "0o640", '"\\ud800"', '"\\x00"', '"\\U0010ffff"', "\u2028", "\ufeff", "{file: /x}", "{command: [/bin/true]}",
        "{env: A}", "{credential: a}", "homeys:", "home:", "sinks:", "  - {type: file, path: /a, mode: '0777'}", "type: exec\n",
        "http:\n  listen: '[::1]:70000'\n", "{cloudid}", "[" * 2000, "{" * 2000, "- " * 2000, "a: " * 500, "&a " * 1100, "*a " * 1100,
    )
]  # fmt: skip
#: A key and its value.
_VALUE = re.compile(rb"(?m)(?<=: )\S.*$")
_SECRET = re.compile(
    r"^(\s*(?:#\s*)?(?:password|client_secret|totp_secret):[ \t]+)[^\s#{&*].*$", re.MULTILINE
)


def _sinks(part: str) -> str:
    """Return a list of sinks as what follows ``_HOMEY``; anything else unchanged."""
    if not part.startswith("- "):
        return part
    return "    sinks:\n" + "".join(f"      {line}\n" for line in part.splitlines())


def _corpus() -> list[bytes]:
    texts = [(_ROOT / "config.example.yaml").read_text(encoding="utf-8")]
    for page in [_ROOT / "README.md", *sorted((_ROOT / "docs").glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        parts = re.findall(r"(?ms)^```yaml\n(.*?)^```$", text)
        texts += [part if "homeys:" in part else _HOMEY + _sinks(part) for part in parts]
    return [_SECRET.sub(rf"\g<1>{CANARY}", each).encode() for each in (*texts, _HOMEY, *_PASTED)]


class Target:
    """A configuration, or faults with their places; secrets are not shown by either."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._corpus = folder, _corpus()
        self._path = folder / "config.yaml"
        self._system = SystemPaths(self._path, folder, folder)

    def draw(self, rng: Random) -> bytes:
        data = rng.choice(self._corpus)
        if rng.random() < 0.5:
            return mutate(rng, data, _TOKENS, self._corpus)
        # In most files only a value is wrong.
        at = rng.choice(list(_VALUE.finditer(data)))
        value = mutate(rng, rng.choice((at[0], at[0], rng.choice(_TOKENS))), _TOKENS)
        return data[: at.start()] + value + data[at.end() :]

    async def check(self, given: bytes) -> None:
        self._path.write_bytes(given)
        lines = len(re.split(rb"\r\n|[\r\n]|\xc2\x85|\xe2\x80[\xa8\xa9]", given))
        try:
            config = load(None, {"HOME": str(self._folder)}, self._system)
        except ConfigurationInvalid as error:
            require(error.faults, "an error without a fault")
            faults, shown = error.faults, "".join(traceback.format_exception(error))
        else:
            faults, shown = config.warnings, repr(config)
        if _is_kept_secret(given):
            hides_canary(shown, "the result")
        for fault in faults:
            _check_fault(fault, lines)


def _check_fault(fault: ConfigFault, lines: int) -> None:
    require(fault.message and fault.remedy, f"incomplete: {fault!r}")
    require(0 <= fault.line <= lines and fault.column >= 0, f"a place outside: {fault!r}")
    require(str(fault).isprintable(), f"not printable: {fault!r}")
    require(len(str(fault)) < 2000, f"a fault of {len(str(fault))} characters")


def _is_kept_secret(given: bytes) -> bool:
    """Return whether the canary is only where a secret belongs, each on its own line."""
    lines = [each for each in given.splitlines() if any(piece in each for piece in _PIECES)]
    return all(_KEPT.fullmatch(each.decode(errors="replace")) for each in lines)


_PIECES = [CANARY[at : at + 6].encode() for at in range(len(CANARY) - 5)]
_KEPT = re.compile(rf"\s*(?:password|client_secret|totp_secret):[\s\u00a0]*.*{CANARY}.*")
