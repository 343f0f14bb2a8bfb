"""No secret is in any event, view or message, whatever the cloud does."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from homey_tokend.core.secret import Secret
from homey_tokend.simulator import Simulator
from homey_tokend.simulator.totp import code_at
from tests.keeper.conftest import Begin
from tests.keeper.harness import DAY, TOTP_SECRET, Harness

BY_NAME = {"type": "logic_variable", "name": "accesstoken"}
PASSWORD = "k3ep-th1s-to-y0urself"
#: The number of ``hostile_responses``.
KINDS = 11


def secrets_of(simulator: Simulator) -> set[str]:
    """Return every secret that the cloud received or issued so far."""
    state = simulator.state
    stores = (
        state.user_tokens,
        state.codes,
        state.access_tokens,
        state.refresh_tokens,
        state.delegation_tokens,
    )
    found = {token for store in stores for token in store}
    found |= {bearer for homey in state.homeys.values() for bearer in homey.sessions}
    for entry in simulator.requests:
        found |= {value for key, value in entry.form.items() if key in {"otptoken", "code"}}
        found |= set(entry.cookies.values())
        found.add(entry.form.get("_csrf", ""))
    found |= {simulator.settings.client_secret, PASSWORD, TOTP_SECRET}
    return {secret for secret in found if len(secret) >= 6}


def hostile_responses(simulator: Simulator, step: str) -> Iterator[dict[str, Any]]:
    """Yield responses that contain all known secrets, and other failures.

    Only the login knows a one-time code: the current one.
    """
    known = {secret for secret in secrets_of(simulator) if len(secret) > 6}
    if step == "login":
        known.add(code_at(TOTP_SECRET, int(simulator.state.now() // 30)))
    words = " ".join(sorted(known, key=len))
    body = {"error": words[:90], "description": f"{PASSWORD} {words}"}
    yield {"kind": "status", "status": 400, **body}
    yield {"kind": "status", "status": 401, **body}
    yield {"kind": "status", "status": 503, **body}
    yield {"kind": "text", "status": 418, "body": words}
    yield {"kind": "html", "body": f"<p>{words}</p>"}
    yield {"kind": "json", "body": {"token": words, "access_token": words, "homeys": words}}
    yield {"kind": "error_redirect", **body}
    yield {"kind": "redirect", "location": f"https://{PASSWORD}.example/?token={words[-200:]}"}
    yield {"kind": "reset"}
    yield {"kind": "cut"}
    yield {"kind": "long_header"}


@pytest.fixture
def logs() -> LogCapture:
    """Return everything that is logged, with tracebacks, before any redaction."""
    capture = LogCapture()
    structlog.configure(processors=[structlog.processors.format_exc_info, capture])
    return capture


def written(harness: Harness) -> str:
    """Return all that clients and people can see of a Homey, except the token itself."""
    view = harness.view()
    return f"{view!r} {view} {harness.keepers['home'].state!r} {harness.components.config!r}"


@pytest.mark.parametrize(
    "step",
    ["login", "authorise", "consent", "token", "user", "delegation", "homey_login", "session"],
)
async def test_no_response_of_a_step_reveals_a_secret(
    begin: Begin, logs: LogCapture, step: str
) -> None:
    """A host repeats all secrets in its responses; none is logged or shown."""
    harness = await begin(password=PASSWORD, totp_secret=TOTP_SECRET, seed=5)
    document = harness.document(BY_NAME, method="refresh_token")
    document["homeys"]["home"]["totp_secret"] = TOTP_SECRET
    await harness.start(document)
    seen = [written(harness)]
    for kind in range(KINDS):
        harness.skip(DAY)
        fault = tuple(hostile_responses(harness.simulator, step))[kind]
        harness.simulator.add_fault(step=step, **fault)
        harness.simulator.revoke_access()
        await harness.heartbeat()
        seen.append(written(harness))
        harness.simulator.clear_faults()
    texts = [str(entry) for entry in logs.entries] + seen
    leaked = {
        secret for secret in secrets_of(harness.simulator) if any(secret in text for text in texts)
    }

    assert set() == leaked
    assert len(logs.entries) > 30


async def test_sinks_reveal_no_secret(begin: Begin, logs: LogCapture) -> None:
    """A Homey repeats the token in its responses for variables; no event contains it."""
    harness = await begin(password=PASSWORD, totp_secret=TOTP_SECRET, seed=6)
    document = harness.document(BY_NAME)
    document["homeys"]["home"]["totp_secret"] = TOTP_SECRET
    await harness.start(document)
    seen = []
    for kind in range(KINDS):
        harness.skip(DAY)
        fault = tuple(hostile_responses(harness.simulator, "variable"))[kind]
        harness.simulator.add_fault(step="variable", **fault)
        await harness.heartbeat()
        seen.append(written(harness))
        harness.simulator.clear_faults()
    texts = [str(entry) for entry in logs.entries] + seen
    leaked = {s for s in secrets_of(harness.simulator) if any(s in text for text in texts)}

    assert set() == leaked
    assert "sink.failed" in [entry["event"] for entry in logs.entries]


async def test_secrets_are_hidden_before_they_can_be_logged(begin: Begin) -> None:
    """Each secret in memory is registered for redaction."""
    harness = await begin(password=PASSWORD, totp_secret=TOTP_SECRET)
    document = harness.document(method="refresh_token")
    document["homeys"]["home"]["totp_secret"] = TOTP_SECRET
    await harness.start(document)
    state = harness.simulator.state
    kept = [PASSWORD, TOTP_SECRET, harness.simulator.settings.client_secret]
    kept += [harness.simulator.seen("login")[0].form["otptoken"]]
    for store in (state.user_tokens, state.access_tokens, state.refresh_tokens):
        kept += list(store)
    kept.append(harness.token().value.reveal())

    assert {Secret(secret) for secret in kept} <= set(harness.hidden)

    harness.hidden.clear()
    await harness.restart(document)

    assert {harness.token().value} <= set(harness.hidden)

    await harness.until_renewal()
    harness.hidden.clear()
    await harness.until_renewal()

    # The credentials again with each attempt, because the log only remembers the latest secrets.
    assert {Secret(PASSWORD), Secret(TOTP_SECRET)} <= set(harness.hidden)


async def test_the_log_of_a_day_is_short(harness: Harness, logs: LogCapture) -> None:
    """From info on there are only two renewals and their deliveries."""
    await harness.start(harness.document(BY_NAME, verify_every="6h"))
    await harness.wait(DAY)
    names = [entry["event"] for entry in logs.entries if entry["log_level"] != "debug"]

    assert ["token.renewed", "sink.delivered"] * 3 == names
