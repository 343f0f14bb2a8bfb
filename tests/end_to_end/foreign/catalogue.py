"""Compare the catalogue of calls with the vendor's specification files and with the guide.

Prints ``ok …`` and ``not ok …`` lines, as the Node programs do, and returns the sums.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from homey_tokend.hub.catalogue import ENDPOINTS
from homey_tokend.hub.endpoint import CLOUD, PRO_2019, PRO_2023, Endpoint

#: Some scopes of version 2 are written as names of constants.
_CONSTANTS = {
    "SYSTEM_READONLY": "homey.system.readonly",
    "USER_READONLY": "homey.user.readonly",
    "GEOLOCATION_READONLY": "homey.geolocation.readonly",
}
Operations = Mapping[tuple[str, str], Mapping[str, Any]]


def operations(file: Path) -> Operations:
    """Return all operations of a specification, by method and path; arguments in a path are ``{}``."""
    managers = json.loads(file.read_text(encoding="utf-8"))["managers"]
    return {
        (one["method"].upper(), plain(f"/api/manager/{manager['id']}{one['path']}")): one
        for manager in managers.values()
        for one in manager["operations"].values()
    }


def plain(path: str) -> str:
    """Return a path without the names of its arguments and the last slash."""
    return re.sub(r":\w+|\{\w+\}|<\w+>", "{}", path).rstrip("/").replace("/onoff", "/{}")


def faults(endpoint: Endpoint, specifications: Mapping[str, Operations]) -> Iterator[str]:
    """Yield each difference between an endpoint and the specifications."""
    key = endpoint.method, plain(endpoint.path)
    known = {name: one[key] for name, one in specifications.items() if key in one}
    if set(endpoint.homeys) != set(known):
        yield f"homeys are {sorted(known)}, not {sorted(endpoint.homeys)}"
    for name, operation in known.items():
        scopes = {_CONSTANTS.get(scope, scope) for scope in operation.get("scopes") or ()}
        if scopes and not any(
            covers(mine, one) for mine in documented_scopes(endpoint) for one in scopes
        ):
            yield f"{name}: the scope is {sorted(scopes)}, not {endpoint.scope!r}"
        parameters = operation.get("parameters") or {}
        yield from (f"{name}: {fault}" for fault in body_faults(endpoint, parameters))


def documented_scopes(endpoint: Endpoint) -> set[str]:
    """Return the scope of an endpoint, and those that its note gives for other models."""
    return {endpoint.scope, *re.findall(r"`(homey\.[a-z.]+)`", endpoint.note)}


def covers(scope: str, wanted: str) -> bool:
    """Return whether a parent scope covers it (docs/wire.md, Scopes)."""
    return scope == wanted or wanted.startswith(f"{scope}.")


def body_faults(endpoint: Endpoint, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Return unknown members of the body, and required ones that are missing."""
    in_body = {name: one for name, one in parameters.items() if one.get("in") == "body"}
    if any(one.get("root") for one in in_body.values()):
        return  # the body itself is the thing
    yield from (f"no parameter {name!r}" for name in endpoint.body if name not in in_body)
    needed = {name for name, one in in_body.items() if one.get("required")}
    yield from (f"{name!r} is needed" for name in needed - set(endpoint.body))


def guide_paths(text: str) -> Iterator[tuple[str, str]]:
    """Return method and path of every endpoint in the guide's list."""
    listed = text[text.index("# Alarms") :]
    for line in listed.splitlines():
        found = re.match(r"(GET|POST|PUT)\b.*?(/api/[^\s]+)", line)
        if found:
            yield found[1], found[2]


def covered(method: str, path: str) -> bool:
    """Return whether the catalogue has an endpoint of the guide, by its path or the right one."""
    wanted = plain(path)
    return any(
        one.method == method and wanted in {plain(one.path), plain(one.guide)} for one in ENDPOINTS
    )


def check(modules: Path, guide: Path) -> tuple[int, int]:
    """Check all, and return how many passed and failed.

    Args:
        modules: Where npm put homey-api.
        guide: The guide's text; where it is not there its list is left out.
    """
    folder = modules / "homey-api" / "assets" / "specifications"
    kinds = (PRO_2019, PRO_2023, CLOUD)
    specifications = {kind: operations(folder / f"HomeyAPI{kind}.json") for kind in kinds}
    found = [
        report(f"catalogue: {one.usage}", "; ".join(faults(one, specifications)))
        for one in ENDPOINTS
    ]
    if guide.is_file():
        found += [
            report(
                f"guide: {method} {path} has a name", "" if covered(method, path) else "it has none"
            )
            for method, path in guide_paths(guide.read_text(encoding="utf-8"))
        ]
    else:
        sys.stdout.write("left out: the guide is not at ../shared/, so its list was not read\n")
    return found.count(True), found.count(False)


def report(sentence: str, fault: str, say: Callable[[str], object] = sys.stdout.write) -> bool:
    """Print the outcome of one check."""
    say(f"not ok {sentence}: {fault}\n" if fault else f"ok {sentence}\n")
    return not fault
