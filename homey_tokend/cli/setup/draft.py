"""The first configuration file as text, made of a person's answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Draft:
    """The content of the configuration file.

    ``secrets`` names where each secret is read: the path of a file, or a systemd credential.
    ``endpoints`` are those that differ from Athom's.
    """

    email: str
    client_id: str
    redirect_url: str
    secrets: Mapping[str, Path | str]
    cloudid: str
    homey_name: str = ""
    variable: str = ""
    endpoints: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return the file as YAML."""
        lines = [
            "# Written by `homey-tokend init`. docs/configuration.md and config.example.yaml list all keys.",
            "homeys:",
            "  home:",
            f"    email: {_quote(self.email)}",
            f"    password: {self._secret('password')}",
            f"    client_id: {_quote(self.client_id)}",
            f"    client_secret: {self._secret('client_secret')}",
        ]
        if "totp_secret" in self.secrets:
            lines.append(f"    totp_secret: {self._secret('totp_secret')}")
        lines.append(f"    redirect_url: {_quote(self.redirect_url)}")
        if self.homey_name:
            lines.append(f"    # The Homey named {_quote(self.homey_name)}.")
        lines.append(f"    cloudid: {_quote(self.cloudid)}")
        if self.variable:
            lines += [
                "    sinks:",
                f"      - {{type: logic_variable, name: {_quote(self.variable)}, create: true}}",
            ]
        if self.endpoints:
            lines.append("endpoints:")
            lines += [f"  {key}: {_quote(url)}" for key, url in self.endpoints.items()]
        return "\n".join(lines) + "\n"

    def _secret(self, key: str) -> str:
        place = self.secrets[key]
        if isinstance(place, Path):
            return f"{{file: {_quote(str(place))}}}"
        return f"{{credential: {_quote(place)}}}"


def _quote(text: str) -> str:
    """Write printable text as a single-quoted scalar (YAML 1.2, 7.3.2)."""
    return "'" + text.replace("'", "''") + "'"
