"""docs/api.md has every route, every problem and every member, and its Python runs."""

import re
from pathlib import Path

import pytest

from homey_tokend.core.documents import token_document
from homey_tokend.server import documents, problems
from homey_tokend.server.app import Api
from tests.support.homeys import running_home
from tests.support.provider import NOW, FakeProvider, token, view

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_routes() -> None:
    """Every route has its heading."""
    app = Api(FakeProvider(), version="1").app()
    paths = {
        route.resource.canonical.replace("{name}", "NAME")
        for route in app.router.routes()
        if route.resource is not None
    }
    headings = " ".join(line for line in PAGE.splitlines() if line.startswith("## "))

    assert {path for path in paths if f"{path}`" not in headings} == {"/{rest}"}


def test_problems() -> None:
    """Every problem is in the table."""
    package = Path(problems.__file__).parents[1]
    files = [*package.glob("server/*.py"), *package.glob("proxy/*.py")]
    source = "".join(path.read_text() for path in files)
    named = set(re.findall(r'(?:Problem\(|_unavailable\(view, now, )[^"]*?"([a-z-]+)"', source))

    assert {"bad-parameter", "bad-path", "web-page", "internal-error"} <= named
    assert {name for name in named if f"`{name}`" not in PAGE} == set()


def test_members() -> None:
    """Every member of a Homey's document and of a token's is reported."""
    held = token()
    homey = documents.homey_document(view("home", held), NOW)
    members = {*homey, *token_document("home", held), "expires_in"}

    assert {
        name for name in members if f"`{name}`" not in PAGE and f'"{name}"' not in PAGE
    } == set()


def test_python(
    socket_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The block of Python does, word for word, what it says: here before a simulated Homey."""
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.setenv("HOMEY_TOKEND_SOCKET", str(socket_path))
    with running_home(socket_path) as home:
        (homey,) = home.simulator.state.homeys.values()
        variable = {"id": "51d0", "name": "number", "type": "number", "value": 1}
        homey.variables["51d0"] = variable
        held: dict[str, object] = {}
        exec(compile(block, "docs/api.md", "exec"), held)  # noqa: S102  our own page is what runs

    reported = capsys.readouterr().out
    assert 7 == variable["value"]
    assert held["bearer"] in homey.sessions
    assert "the token was not refreshed" in reported  # this provider refreshes nothing
    assert "'value': 7" in reported
