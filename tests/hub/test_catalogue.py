"""The catalogue of calls, and the page of it."""

import pytest

from homey_tokend.hub import catalogue
from homey_tokend.hub.catalogue import ENDPOINTS
from homey_tokend.hub.endpoint import is_dangerous
from tests.support.calls_page import PAGE, page


def test_the_page() -> None:
    """docs/calls.md is generated from the catalogue: ``python -m tests.support.calls_page``."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_names_are_unique() -> None:
    """Names are unique, and every path starts with /api/."""
    assert len({one.name for one in ENDPOINTS}) == len(ENDPOINTS)
    assert all(one.path.startswith("/api/manager/") for one in ENDPOINTS)


@pytest.mark.parametrize(
    ("name", "near"), [("device", "device"), ("devicesx", "devices"), ("xyzzy", None)]
)
def test_nearest(name: str, near: str | None) -> None:
    """For an unknown name the nearest one is suggested, if there is one."""
    assert near == catalogue.nearest(name)


@pytest.mark.parametrize(
    ("method", "path", "dangerous"),
    [
        ("POST", "/api/manager/system/reboot", True),
        ("post", "/api/manager/System/reboot/?x=1", True),
        ("POST", "/api/manager/system/%72eboot", True),
        ("POST", "/api/manager/system/reboot-ota", True),
        ("POST", "/api/manager/zwave/command/", True),
        ("GET", "/api/manager/system/reboot", False),
        ("POST", "/api/manager/flow/flow/1/trigger", False),
    ],
)
def test_danger(method: str, path: str, *, dangerous: bool) -> None:
    """A dangerous call is also dangerous by path, in any spelling."""
    assert dangerous is is_dangerous(method, path)


def test_dangerous_endpoints() -> None:
    """The catalogue and the paths agree about what is dangerous."""
    assert [one.dangerous for one in ENDPOINTS] == [
        is_dangerous(one.method, one.path) for one in ENDPOINTS
    ]


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/api/manager/devices/device", "devices"),
        ("HEAD", "/api/manager/devices/device/", "devices"),
        ("GET", "/api/manager/devices/device/5f", "device"),
        ("GET", "/api/manager/devices/device/5f/capability/dim", "capability"),
        ("PUT", "/api/manager/devices/device/5f/capability/onoff", "set-capability"),
        ("GET", "/api/manager/system", "system"),
        ("POST", "/api/manager/devices/device", None),
        ("GET", "/api/manager/Devices/device", None),
        ("GET", "/api/manager/devices/device/5f/x", None),
        ("GET", "/api/manager", None),
    ],
)
def test_requests(method: str, path: str, name: str | None) -> None:
    """A request is found by method and path, exactly; a slash at the end makes no difference."""
    found = catalogue.match(method, path)

    assert name == (found.name if found else None)


def test_what_shows_variables() -> None:
    """The groups that the documentation and the problem name are those that can show a variable."""
    marked = {
        group
        for group, ones in catalogue.GROUPS.items()
        if any(one.shows_variables for one in ones)
    }

    assert {"Flow tokens", "Insights", "Logic"} == marked
    assert all(one.shows_variables for group in marked for one in catalogue.GROUPS[group])
