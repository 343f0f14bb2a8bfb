"""Write docs/calls.md from the catalogue: ``python -m tests.support.calls_page``."""

from collections.abc import Sequence
from pathlib import Path

from homey_tokend.hub import catalogue
from homey_tokend.hub.endpoint import Endpoint

PAGE = Path(__file__).parents[2] / "docs" / "calls.md"

HEAD = """\
# Calls

`python -m tests.support.calls_page` writes this page from the catalogue; a test compares them.
`tests/end_to_end/foreign/run` compares the catalogue with the specification files in the vendor's npm package homey-api.

```sh
homey-tokend call devices
homey-tokend call set-capability 9a7c... onoff true
homey-tokend call GET /api/manager/zones/zone
```

Every path can also be called by method and path, and over the socket below `/homeys/NAME` ([api.md](api.md)).
A value that is valid JSON (`true`, `0.5`, `"text"`) is sent as JSON, any other as text: `call set-variable <id> '"7"'` sets a text, `call set-variable <id> 7` a number.
A Homey rejects a value of the wrong type, and `call` prints its message.

- **changes**: it changes something; with **asks** it asks for confirmation first, unless `--yes` is given.
- **scope**: what the session must have; a parent covers its children (`homey.device` includes `homey.device.readonly`).
- **Homeys**: which models have it: Homey Pro *2016 to 2019*, Homey Pro of *2023 and later*, the Homey in the *cloud* (Bridge).

Users who are in `socket.allow_api` and may not read the token can make only these calls, without those of *Flow tokens*, *Insights* and *Logic*, where a sink writes the token to a logic variable ([configuration.md](configuration.md#allow_api)).

The list of the well-known guide is covered completely.
Where the guide has a path that does not answer, this is noted: the path here is the right one.
A slash at the end makes no difference.

"""


def page() -> str:
    """Return the page."""
    return HEAD + "\n".join(_section(group, ones) for group, ones in catalogue.GROUPS.items())


def _section(group: str, endpoints: Sequence[Endpoint]) -> str:
    rows = "".join(_row(one) for one in endpoints)
    head = "| call | request | does | changes | scope | Homeys |\n|---|---|---|---|---|---|\n"
    notes = "".join(f"- {note}\n" for note in dict.fromkeys(filter(None, map(_note, endpoints))))
    return f"## {group}\n\n{head}{rows}" + (f"\n{notes}" if notes else "")


def _row(one: Endpoint) -> str:
    changes = "asks" if one.dangerous else "yes" if one.changes else ""
    scope = f"`{one.scope}`" if one.scope else ""
    return (
        f"| `{one.usage}` | `{one.method} {one.path}` | {one.does} "
        f"| {changes} | {scope} | {one.models} |\n"
    )


def _note(one: Endpoint) -> str:
    guide = f"The guide writes `{one.guide}`." if one.guide else ""
    words = " ".join(filter(None, (one.note, guide)))
    return f"`{one.name}`: {words}" if words else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
