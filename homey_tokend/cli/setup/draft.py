"""The first configuration file, from what a person answered. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Draft:
    """What the file says.

    ``secrets`` has the keys of the secrets that were answered, and where each is read:
    the path of a file, or the name of a systemd credential. ``endpoints`` are those that are
    not Athom's.
    """

    email: str
    client_id: str
    redirect_url: str
    secrets: Mapping[str, Path | str]
    cloudid: str
    called: str = ""
    variable: str = ""
    endpoints: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The file, in YAML."""
        lines = [
            "# Made by `homey-tokend init`. docs/configuration.md and config.example.yaml have all keys.",
            "homeys:",
            "  home:",
            f"    email: {_quoted(self.email)}",
            f"    password: {self._secret('password')}",
            f"    client_id: {_quoted(self.client_id)}",
            f"    client_secret: {self._secret('client_secret')}",
        ]
        if "totp_secret" in self.secrets:
            lines += [f"    totp_secret: {self._secret('totp_secret')}"]
        lines += [f"    redirect_url: {_quoted(self.redirect_url)}"]
        if self.called:
            lines += [f"    # The Homey that is named {_quoted(self.called)}."]
        lines += [f"    cloudid: {_quoted(self.cloudid)}"]
        if self.variable:
            lines += [
                "    sinks:",
                f"      - {{type: logic_variable, name: {_quoted(self.variable)}, create: true}}",
            ]
        if self.endpoints:
            lines += ["endpoints:"]
            lines += [f"  {key}: {_quoted(url)}" for key, url in self.endpoints.items()]
        return "\n".join(lines) + "\n"

    def _secret(self, key: str) -> str:
        where = self.secrets[key]
        if isinstance(where, Path):
            return f"{{file: {_quoted(str(where))}}}"
        return f"{{credential: {_quoted(where)}}}"


def _quoted(text: str) -> str:
    """A single-quoted scalar (YAML 1.2, 7.3.2); the text must be printable."""
    return "'" + text.replace("'", "''") + "'"
