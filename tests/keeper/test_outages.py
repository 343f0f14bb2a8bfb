"""A failure at every step: the old token is served, and only the necessary steps are repeated."""

from typing import Any

import pytest

from homey_tokend.core.status import Health
from tests.keeper.harness import MINUTE, Harness

#: Failures of hosts and networks, as fields of the simulator's faults.
TROUBLES: dict[str, dict[str, Any]] = {
    "503": {"kind": "status", "status": 503},
    "a captive portal": {"kind": "html"},
    "a reset": {"kind": "reset"},
    "a reset after the fact": {"kind": "reset", "carried_out": True},
    "a hang": {"kind": "hang", "seconds": 0.02},
    "a cut answer": {"kind": "cut"},
    "429": {"kind": "too_many_requests", "retry_after": 100},
}
#: The step from which on the sign-in is repeated, by the step that failed.
RESUMED = {
    "login": "login",
    "authorise": "authorise",
    "consent": "authorise",
    "token": "authorise",
    "delegation": "user",
    "homey_login": "user",
}
FLOW = ["login", "authorise", "authorise", "consent", "token", "user"]
FLOW += ["delegation", "homey_login", "session"]


def codes_of(harness: Harness) -> list[str]:
    """Return the authorization codes that were sent."""
    forms = [entry.form for entry in harness.simulator.seen("token")]
    return [form["code"] for form in forms if "code" in form]


@pytest.mark.parametrize("step", RESUMED)
async def test_a_failure_at_a_step_repeats_only_what_comes_after(
    harness: Harness, step: str
) -> None:
    """The old token is served, then the sign-in continues from there."""
    await harness.start()
    for name, trouble in TROUBLES.items():
        harness.steps()
        before = harness.token()
        harness.simulator.add_fault(step=step, **trouble)
        await harness.until_renewal()

        assert before == harness.token(), name
        assert harness.last_error().endswith(f" {step}"), name
        assert harness.view().health is Health.FAILING, name
        assert harness.view().outage_at == before.expires_at, name
        assert harness.sign_ins() == 1, name

        codes = codes_of(harness)
        harness.simulator.clear_faults()
        harness.steps()
        await harness.wait(6 * MINUTE)
        codes += codes_of(harness)

        assert harness.token().generation == before.generation + 1, name
        assert harness.simulator.accepts(harness.token().value.reveal()), name
        assert harness.steps() == FLOW[FLOW.index(RESUMED[step]) :], name
        assert harness.last_error() == "", name
        assert len(codes) == len(set(codes)), name
