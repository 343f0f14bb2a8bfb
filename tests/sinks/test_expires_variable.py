"""The variable for the token's expiry: finding, creating and checking it."""

import pytest

from homey_tokend.sinks.logic_variable import LogicVariableSink
from tests.sinks.deliveries import CANARY, URL, delivery
from tests.sinks.hub import FakeHub

ENDS = "2026-01-03T03:04:05Z"


def a_hub(*, made: bool = True) -> tuple[FakeHub, LogicVariableSink]:
    hub = FakeHub(URL, CANARY)
    if made:
        hub.add("t", "accesstoken")
        hub.add("e", "ends")
    sink = LogicVariableSink(hub, name="accesstoken", variable_id=None, create=True, expires="ends")
    return hub, sink


async def test_the_token_is_written_before_the_expiry() -> None:
    """A flow never sees an old token with a new expiry."""
    hub, sink = a_hub()
    await sink.write(delivery())

    assert [CANARY, ENDS] == [each["value"] for each in hub.variables.values()]
    assert ["t", "e"] == [path.split("/")[-2] for method, path in hub.seen if method == "PUT"]


async def test_a_changed_expiry_is_noticed() -> None:
    """Both variables are read back; if the token is wrong, the expiry is not read."""
    hub, sink = a_hub()
    written = delivery(memory=(await sink.write(delivery())).memory)
    in_place = await sink.check(written)
    hub.variables["e"]["value"] = "tomorrow"
    end_changed = await sink.check(written)
    hub.variables["t"]["value"] = "mine"
    hub.seen.clear()
    token_changed = await sink.check(written)

    assert (True, False, False) == (in_place, end_changed, token_changed)
    assert 1 == len(hub.seen)


async def test_the_id_of_the_expiry_variable_is_remembered() -> None:
    """Its id is remembered with the token's: a check needs one request and no list."""
    hub, sink = a_hub()
    memory = (await sink.write(delivery())).memory
    later = LogicVariableSink(
        hub, name="accesstoken", variable_id=None, create=True, expires="ends"
    )
    hub.variables["e"]["value"] = "tomorrow"
    hub.seen.clear()

    assert not await later.check(delivery(memory=memory))
    assert ["t", "e"] == [path.split("/")[-2] for _, path in hub.seen]


@pytest.mark.parametrize(
    ("ends", "in_place"),
    [([], False), ([ENDS], True), (["tomorrow"], False), ([ENDS, ENDS], False)],
    ids=["none", "right", "another", "two"],
)
async def test_an_expiry_variable_without_a_remembered_id_is_looked_up(
    ends: list[str], in_place: bool
) -> None:
    """Without a remembered id, it is looked up in the list."""
    hub, _ = a_hub(made=False)
    hub.add("t", "accesstoken")
    plain = LogicVariableSink(hub, name="accesstoken", variable_id=None, create=False)
    memory = (await plain.write(delivery())).memory
    for number, value in enumerate(ends):
        hub.add(f"e{number}", "ends", value=value)
    sink = LogicVariableSink(
        hub, name="accesstoken", variable_id=None, create=False, expires="ends"
    )

    assert in_place is await sink.check(delivery(memory=memory))


async def test_both_variables_are_described_without_writing() -> None:
    """Each variable is reported by name, whether it exists or will be created."""
    hub, sink = a_hub()
    there = await sink.describe(delivery().token)
    bare, other = a_hub(made=False)
    missing = await other.describe(delivery().token)

    assert (
        "is a text variable with the id t; "
        "logic_variable:ends is a text variable with the id e" == there
    )
    assert (
        "does not exist yet and will be created; "
        "logic_variable:ends does not exist yet and will be created" == missing
    )
    assert {"GET"} == {method for method, _ in (*hub.seen, *bare.seen)}
