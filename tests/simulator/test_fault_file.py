"""The fault file: what it may contain, and the errors for anything else."""

from pathlib import Path
from typing import Any

import pytest

from homey_tokend.simulator import FaultsInvalid, Simulator, fault_file
from homey_tokend.simulator.fault_file import KINDS
from homey_tokend.simulator.faults import Fault

DOCS = Path(__file__).parents[2] / "docs" / "simulator.md"


def test_yaml() -> None:
    """A file in YAML becomes faults in its order."""
    text = """
- {step: token, kind: status, status: 503, retry_after: 30, times: 2}
- step: [login, consent]
  kind: hang
  seconds: 2.5
  from: 60
  until: 120
- {step: any, homey: 2, kind: cut, bytes: 10, after: 3}
"""

    assert fault_file.parse(text) == (
        Fault(kind="status", steps=("token",), status=503, retry_after=30, times=2),
        Fault(kind="hang", steps=("login", "consent"), seconds=2.5, start=60, until=120),
        Fault(kind="cut", homey=2, size=10, after=3),
    )


def test_json() -> None:
    """JSON is a part of YAML."""
    assert fault_file.parse('[{"kind": "reset"}]') == (Fault(kind="reset"),)


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]"])
def test_empty(text: str) -> None:
    """A file may be empty."""
    assert fault_file.parse(text) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: reset", "f:1:1: a list of faults belongs here"),
        ("- reset", "f:1:3: fault 1: keys and values belong here"),
        ("- {step: login}", "f:1:3: fault 1: kind None is not known"),
        ("- {kind: rest}", "f:1:4: fault 1: kind 'rest' is not known: did you mean 'reset'?"),
        (
            "- kind: status\n  state: 503",
            "f:2:3: fault 1: kind 'status' has no key 'state': did you mean 'status'?",
        ),
        ("- {kind: reset, status: 503}", "f:1:17: fault 1: kind 'reset' has no key 'status'"),
        ("- {kind: reset, 7: 8}", "f:1:17: fault 1: kind 'reset' has no key 7"),
        ("- {kind: reset, step: logn}", "f:1:17: fault 1: step is 'logn', but must be"),
        ("- {kind: reset, times: -1}", "times is -1, but must be a whole number, 0 or more"),
        ("- {kind: reset, times: true}", "times is True, but must be a whole number"),
        ("- {kind: status, status: 99}", "status is 99, but must be from 200 to 599"),
        ("- {kind: status, retry_after: date+x}", "retry_after is 'date+x', but must be"),
        ("- {kind: delay}", "f:1:3: fault 1: kind 'delay' needs 'seconds'"),
        ("- {kind: reset, kind: hang}", "f:1:17: fault 1: key 'kind' is there twice"),
        ("- {kind: rest, times: -1}", "f:1:16: fault 1: times is -1, but must be"),
        ("- {kind: [reset], tims: 1}", "f:1:19: fault 1: no kind has a key 'tims': did you mean"),
        ("- {times: -1}", "f:1:4: fault 1: times is -1, but must be"),
        ("- {kind: reset, homey: 1.5}", "homey is 1.5, but must be a cloudid or a number"),
        ("- {kind: reset, method: put}", "method is 'put', but must be one of GET, POST"),
        ("- {kind: [}", "f:1:11: not readable as YAML"),
        ("- \x00", "f: not readable as YAML"),
        ("- {kind: json, body: 2001-13-45}", "f: not readable as YAML: month must be in 1..12"),
        pytest.param("[" * 1_200, "f: not readable as YAML", id="deep"),
    ],
)
def test_errors(text: str, message: str) -> None:
    """An error names the place, the key and what belongs there."""
    with pytest.raises(FaultsInvalid) as error:
        fault_file.parse(text, "f")

    assert message in str(error.value)


def test_all_at_once() -> None:
    """All errors are reported at once."""
    with pytest.raises(FaultsInvalid) as error:
        fault_file.parse("- {kind: a}\n- {kind: b}\n- {kind: reset}\n- {kind: drip}\n")

    assert len(error.value.errors) == 3


@pytest.mark.parametrize(
    "keys", [{"kind": "nothing"}, {"kind": "reset", "when": 1}, {"kind": "text"}]
)
async def test_added(keys: dict[str, Any]) -> None:
    """A fault that a test adds is checked like one of a file."""
    with pytest.raises(FaultsInvalid):
        Simulator().add_fault(**keys)


async def test_made() -> None:
    """A ``Fault`` may be added as it is."""
    fault = Fault(kind="reset")

    assert Simulator().add_fault(fault) is fault


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_documented(kind: str) -> None:
    """docs/simulator.md describes every kind."""
    assert f"| `{kind}` |" in DOCS.read_text(encoding="utf-8")


def test_documented_example() -> None:
    """The example of docs/simulator.md is a valid fault file."""
    example = DOCS.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]

    assert len(fault_file.parse(example)) >= 5
