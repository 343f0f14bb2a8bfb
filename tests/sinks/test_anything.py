"""With any response, the variable is written, or a known error is raised."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homey_tokend.core.errors import TokendError
from homey_tokend.core.http_types import Request, Response
from homey_tokend.sinks.logic_variable import LogicVariableSink
from tests.sinks.deliveries import CANARY, delivery

NOW = datetime(2027, 1, 1, tzinfo=UTC)
NAMES = st.sampled_from(["id", "name", "type", "value", "accesstoken", "string", "v-1", CANARY])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
BODIES = st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode())
ANSWERS = st.tuples(
    st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 409, 429, 500]), BODIES
)


class Anything:
    """Send the generated responses in turn."""

    def __init__(self, answers: list[tuple[int, bytes]]) -> None:
        self.answers = answers
        self.asked: list[Request] = []

    async def send(self, request: Request) -> Response:
        status, body = self.answers[len(self.asked) % len(self.answers)]
        self.asked.append(request)
        return Response(status, (), body, NOW, NOW + timedelta(seconds=1), trusted=True)


@settings(deadline=None, max_examples=150)
@pytest.mark.parametrize("by", ["name", "id"])
@pytest.mark.parametrize("act", ["write", "check"])
@given(answers=st.lists(ANSWERS, min_size=1, max_size=6))
def test_any_response_for_a_variable_is_classified(
    by: str, act: str, answers: list[tuple[int, bytes]]
) -> None:
    """A few requests are enough, and no error contains the token."""
    hub = Anything(answers)
    name, variable_id = ("accesstoken", None) if by == "name" else (None, "v-1")
    sink = LogicVariableSink(hub, name=name, variable_id=variable_id, create=True)
    reported = delivery(memory={"id": "v-1", "url": delivery().token.url, "name": "accesstoken"})
    try:
        if act == "write":
            asyncio.run(sink.write(reported))
        else:
            asyncio.run(sink.check(reported))
    except TokendError as error:
        text = f"{error.message} {error.remedy}"

        assert text.replace("\n", "").isprintable()
        assert len(text) < 2000
        assert CANARY not in text
    assert 1 <= len(hub.asked) <= 6
    assert all("/api/manager/logic/variable" in each.url for each in hub.asked)
