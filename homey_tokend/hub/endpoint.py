"""One thing that can be called on a Homey."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

#: The kinds of Homey as the specifications name them: Homey Pro 2016-2019, Homey Pro of 2023 and
#: later, and the Homey of the cloud (Bridge).
PRO_2019, PRO_2023, CLOUD = "V2", "V3Local", "V3Cloud"
ALL = (PRO_2019, PRO_2023, CLOUD)
#: What people call them.
_KINDS = {PRO_2019: "2016 to 2019", PRO_2023: "2023 and later", CLOUD: "cloud"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing that can be called.

    Args:
        group: The heading it stands under.
        name: What it is called here.
        method: Its HTTP method.
        path: Its path; ``{word}`` is filled with an argument.
        does: What it does, in a few words.
        scope: The scope that the session needs; "" for none.
        body: Its JSON body; ``{word}`` in a text is filled with an argument, ``{word?}`` may
            be left out.
        dangerous: It asks before it is called.
        homeys: The kinds of Homey that have it; none: it is in no specification.
        guide: The path that the guide writes.
        note: What one should know.
    """

    group: str
    name: str
    method: str
    path: str
    does: str
    scope: str = ""
    body: Mapping[str, object] = field(default_factory=dict)
    dangerous: bool = False
    homeys: tuple[str, ...] = ALL
    guide: str = ""
    note: str = ""

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"

    @property
    def known_to(self) -> str:
        """The kinds of Homey that have it, in words."""
        if len(self.homeys) == len(_KINDS):
            return "all"
        return ", ".join(_KINDS[kind] for kind in self.homeys) or "none known"

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of its arguments, in order; those with a ``?`` may be left out."""
        return tuple(_PLACE.findall(self.path)) + tuple(_places(self.body))

    @property
    def usage(self) -> str:
        """Its name and arguments, as a person types them."""
        words = [f"[<{one[:-1]}>]" if one[-1] == "?" else f"<{one}>" for one in self.arguments]
        return " ".join([self.name, *words])


_PLACE = re.compile(r"\{([a-z]+\??)\}")


def _places(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from _PLACE.findall(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _places(each)
