"""An endpoint of the Homey's web API."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

#: The models of Homey as the specifications name them: Homey Pro 2016-2019, Homey Pro of 2023 and
#: later, and the Homey in the cloud (Bridge).
PRO_2019, PRO_2023, CLOUD = "V2", "V3Local", "V3Cloud"
ALL = (PRO_2019, PRO_2023, CLOUD)
_MODELS = {PRO_2019: "2016 to 2019", PRO_2023: "2023 and later", CLOUD: "cloud"}

#: All paths that start like this are dangerous, in case a later specification adds one.
_DANGEROUS = ("/api/manager/system/reboot", "/api/manager/zwave/command")

_ARGUMENT = re.compile(r"\{([a-z]+\??)\}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call of the API.

    Args:
        name: Its name on the command line.
        route: Its path below ``/api/manager``; ``{word}`` is replaced by an argument.
        does: What it does, in a few words.
        scope: The scope that the session requires; "" for none.
        method: Its HTTP method.
        body: Its JSON body; ``{word}`` in a text is replaced by an argument, ``{word?}`` by
            an optional one.
        dangerous: Whether it requires confirmation.
        shows_variables: Whether the response can contain values of logic variables.
        homeys: The models that have it; empty if no specification has it.
        guide: The path in the well-known list of endpoints, if it differs by more than a
            trailing slash.
        note: A remark for the page of calls.
    """

    name: str
    route: str
    does: str
    scope: str
    method: str
    body: Mapping[str, object] = field(default_factory=dict)
    dangerous: bool = False
    shows_variables: bool = False
    homeys: tuple[str, ...] = ALL
    guide: str = ""
    note: str = ""

    @property
    def path(self) -> str:
        """Its whole path."""
        return f"/api/manager/{self.route}"

    @property
    def changes(self) -> bool:
        """Return whether it changes something."""
        return self.method != "GET"

    @property
    def models(self) -> str:
        """The models that have it, in words."""
        if len(self.homeys) == len(_MODELS):
            return "all"
        return ", ".join(_MODELS[model] for model in self.homeys) or "none known"

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of its arguments, in order; those with a ``?`` are optional."""
        return tuple(_ARGUMENT.findall(self.path)) + tuple(_arguments(self.body))

    def matches(self, method: str, path: str) -> bool:
        """Return whether it is what a request asks for; a slash at the end makes no difference."""
        route, segments = self.path.rstrip("/").split("/"), path.rstrip("/").split("/")
        return (
            method == self.method
            and len(route) == len(segments)
            and all(
                one == segment or (one.startswith("{") and segment)
                for one, segment in zip(route, segments, strict=True)
            )
        )

    @property
    def usage(self) -> str:
        """Its name and arguments, as they are typed."""
        words = [f"[<{one[:-1]}>]" if one[-1] == "?" else f"<{one}>" for one in self.arguments]
        return " ".join([self.name, *words])


def _arguments(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from _ARGUMENT.findall(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _arguments(each)


def is_dangerous(method: str, path: str) -> bool:
    """Return whether a call by method and path requires confirmation.

    Paths are compared as by a Homey's router: decoded, ignoring case, and without the query.
    """
    decoded = unquote(path.partition("?")[0]).lower()
    return method.upper() not in {"GET", "HEAD", "OPTIONS"} and decoded.startswith(_DANGEROUS)
