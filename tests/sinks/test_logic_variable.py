"""The logic variable sink: finding, creating and verifying a variable."""

import json
import traceback
from datetime import timedelta

import pytest

from homey_tokend.core.errors import (
    BearerRejected,
    HomeyOffline,
    InvalidResponse,
    ServerError,
    SinkFailed,
    SinkRejected,
    Throttled,
    TokendError,
)
from homey_tokend.core.http_types import Response
from homey_tokend.sinks.logic_variable import LogicVariableSink
from tests.sinks.deliveries import CANARY, URL, delivery
from tests.sinks.hub import FakeHub, answer

ROOT = "/api/manager/logic/variable"
UUID = "6f1d2a3b-0000-4000-8000-00000000cafe"


def a_hub(**settings: object) -> FakeHub:
    return FakeHub(URL, CANARY, **settings)  # type: ignore[arg-type]  # a test's shorthand


def by_name(hub: FakeHub, name: str = "accesstoken", *, create: bool = True) -> LogicVariableSink:
    return LogicVariableSink(hub, name=name, variable_id=None, create=create)


def by_id(hub: FakeHub, variable_id: str = UUID) -> LogicVariableSink:
    return LogicVariableSink(hub, name=None, variable_id=variable_id, create=True)


async def test_a_variable_given_by_id_is_written_in_one_request() -> None:
    """An id needs no list: one PUT with a slash at the end, as in the guide."""
    hub = a_hub()
    hub.add(UUID, "anything")

    done = await by_id(hub).write(delivery())

    assert hub.variables[UUID]["value"] == CANARY
    assert [("PUT", f"{ROOT}/{UUID}/")] == hub.seen
    assert done.memory == {"id": UUID, "url": URL}


@pytest.mark.parametrize("lists", [False, True], ids=["object", "array"])
async def test_a_variable_given_by_name_is_found_in_the_list(lists: bool) -> None:
    """The name is matched exactly, in an object keyed by id and in an array."""
    hub = a_hub(lists=lists)
    hub.add("other", "AccessToken")
    hub.add(UUID, "accesstoken")

    done = await by_name(hub).write(delivery())

    assert hub.variables[UUID]["value"] == CANARY
    assert hub.variables["other"]["value"] == "old"
    assert done.memory == {"id": UUID, "url": URL, "name": "accesstoken"}


@pytest.mark.parametrize("written", ["jet\u00f3n", "jeto\u0301n"], ids=["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["jet\u00f3n", "jeto\u0301n"], ids=["NFC", "NFD"])
async def test_a_name_matches_in_any_unicode_form(written: str, stored: str) -> None:
    """A composed and a decomposed name are the same variable, before and after a restart."""
    hub = a_hub()
    hub.add(UUID, stored)
    sink = by_name(hub, written)

    done = await sink.write(delivery())
    hub.seen.clear()
    await sink.write(delivery(memory=done.memory))

    assert [CANARY] == [one["value"] for one in hub.variables.values()]
    assert [("PUT", f"{ROOT}/{UUID}/")] == hub.seen
    assert await sink.check(delivery(memory=done.memory))
    assert await sink.check(delivery())


async def test_the_same_unicode_form_takes_precedence() -> None:
    """Where two variables differ in their form only, the same form wins."""
    hub = a_hub()
    hub.add("other", "jeto\u0301n")
    hub.add(UUID, "jet\u00f3n")

    await by_name(hub, "jet\u00f3n").write(delivery())

    assert (CANARY, "old") == (hub.variables[UUID]["value"], hub.variables["other"]["value"])


@pytest.mark.parametrize(
    "stored",
    [
        "access token ",
        "access\u00a0token",
        "access \u200btoken",
        "\uff41ccess token",
        "access  token",
    ],
)
async def test_no_variable_that_looks_the_same_is_created(stored: str) -> None:
    """A variable whose name looks the same keeps a second one from being created."""
    hub = a_hub()
    hub.add(UUID, stored)

    with pytest.raises(SinkRejected, match="looks the same") as raised:
        await by_name(hub, "access token").write(delivery())

    assert [UUID] == list(hub.variables)
    assert UUID in raised.value.remedy


async def test_a_remembered_id_saves_the_list() -> None:
    """A delivery uses what the last one remembered."""
    hub = a_hub()
    hub.add(UUID, "accesstoken")
    done = await by_name(hub).write(delivery())
    hub.seen.clear()

    again = await by_name(hub).write(delivery(memory=done.memory))

    assert [("PUT", f"{ROOT}/{UUID}/")] == hub.seen
    assert done.memory == again.memory


@pytest.mark.parametrize(
    "memory",
    [
        {"id": "old", "url": "https://other.example", "name": "accesstoken"},
        {"id": "old", "url": URL, "name": "another"},
        {"id": "old"},
        {"id": "../../users", "url": URL, "name": "accesstoken"},
        {"url": URL, "name": "accesstoken"},
    ],
    ids=["other-url", "other-name", "neither", "no-id-at-all", "id-missing"],
)
async def test_memory_of_another_homey_or_name_is_not_used(memory: dict[str, str]) -> None:
    """An id remembered for another Homey or name is not used."""
    hub = a_hub()
    hub.add("old", "something else")
    hub.add(UUID, "accesstoken")

    await by_name(hub).write(delivery(memory=memory))

    assert [("GET", ROOT), ("PUT", f"{ROOT}/{UUID}/")] == hub.seen


async def test_a_missing_variable_is_created_once_with_the_token_in_it() -> None:
    """Creation is one POST with a flat body, and the new id is remembered."""
    hub = a_hub()

    done = await by_name(hub).write(delivery())
    await by_name(hub).write(delivery(memory=done.memory))

    assert list(hub.variables.values()) == [
        {"id": "made-1", "name": "accesstoken", "type": "string", "value": CANARY}
    ]
    assert [method for method, _ in hub.seen] == ["GET", "POST", "PUT"]


async def test_a_missing_variable_is_rejected_without_create() -> None:
    """``create: false`` never sends a POST."""
    hub = a_hub()

    with pytest.raises(SinkRejected, match="no logic variable named accesstoken"):
        await by_name(hub, create=False).write(delivery())

    assert [method for method, _ in hub.seen] == ["GET"]


async def test_an_unknown_id_is_rejected_and_nothing_created() -> None:
    """A variable cannot be created with an id of our choice."""
    hub = a_hub()

    with pytest.raises(SinkRejected, match=f"no logic variable with the id {UUID}"):
        await by_id(hub).write(delivery())

    assert hub.variables == {}


@pytest.mark.parametrize("sink", [by_id, by_name], ids=["by-id", "by-name"])
async def test_a_homey_that_needs_no_slash_is_remembered(sink: object) -> None:
    """After 404 with the slash for an id in the list, the slash is omitted from then on."""
    hub = a_hub(slash="no")
    hub.add(UUID, "accesstoken")
    assert callable(sink)

    done = await sink(hub).write(delivery())
    hub.seen.clear()
    await sink(hub).write(delivery(memory=done.memory))

    assert done.memory["slash"] == "no"
    assert hub.variables[UUID]["value"] == CANARY
    assert [("PUT", f"{ROOT}/{UUID}")] == hub.seen


async def test_a_homey_that_needs_the_slash_again_gets_it() -> None:
    """After 404 the other form is tried, even if one was remembered."""
    hub = a_hub(slash="yes")
    hub.add(UUID, "accesstoken")
    memory = {"id": UUID, "url": URL, "name": "accesstoken", "slash": "no"}

    done = await by_name(hub).write(delivery(memory=memory))

    assert "slash" not in done.memory
    assert hub.variables[UUID]["value"] == CANARY


async def test_an_id_in_capitals_is_found_as_the_homey_spells_it() -> None:
    """A UUID may be configured in capitals."""
    hub = a_hub()
    hub.add(UUID, "accesstoken")

    await by_id(hub, UUID.upper()).write(delivery())

    assert hub.variables[UUID]["value"] == CANARY


async def test_a_listed_variable_that_is_not_found_is_a_transient_failure() -> None:
    """404 in both forms does not create a second variable."""
    hub = a_hub(slash="never")
    hub.add(UUID, "accesstoken")

    with pytest.raises(SinkFailed, match="not found"):
        await by_name(hub).write(delivery())

    assert len(hub.variables) == 1


async def test_a_variable_that_was_created_again_is_found_by_its_name() -> None:
    """If the remembered id is gone, the list has the new one."""
    hub = a_hub()
    hub.add(UUID, "accesstoken")
    memory = {"id": "gone", "url": URL, "name": "accesstoken"}

    done = await by_name(hub).write(delivery(memory=memory))

    assert done.memory["id"] == UUID
    assert hub.variables[UUID]["value"] == CANARY


async def test_after_a_renaming_the_variable_of_the_name_is_written() -> None:
    """The name counts: a person may have given it to another variable."""
    hub = a_hub()
    hub.add("before", "renamed")
    hub.add(UUID, "accesstoken")
    memory = {"id": "before", "url": URL, "name": "accesstoken"}

    done = await by_name(hub).write(delivery(memory=memory))

    assert done.memory["id"] == UUID


async def test_a_renamed_variable_counts_as_changed() -> None:
    """A check finds that the name is gone, since readers use the name."""
    hub = a_hub()
    hub.add(UUID, "accesstoken")
    sink = by_name(hub)
    done = await sink.write(delivery())
    assert await sink.check(delivery(memory=done.memory))

    hub.variables[UUID]["name"] = "old token"

    assert not await sink.check(delivery(memory=done.memory))


@pytest.mark.parametrize("name", [{"en": "accesstoken"}, ["accesstoken"]], ids=["object", "list"])
async def test_a_response_with_a_malformed_name_is_looked_up(name: object) -> None:
    """A name of another type does not match; the variable is looked up in the list."""
    hub = a_hub()
    hub.add(UUID, "accesstoken")
    hub.script = [
        answer(200, {"id": UUID, "name": name, "type": "string", "value": CANARY}),
    ]
    memory = {"id": UUID, "url": URL, "name": "accesstoken"}

    done = await by_name(hub).write(delivery(memory=memory))

    assert done.memory["id"] == UUID


async def test_a_homey_that_changes_the_spelling_gets_one_variable() -> None:
    """The Homey's spelling of the name is remembered, so that no variable is created each time."""
    hub = a_hub()
    made = {"id": UUID, "name": "accesstoken", "type": "string", "value": CANARY}
    hub.script = [answer(200, {}), answer(200, made)]
    hub.variables[UUID] = dict(made)

    done = await by_name(hub, "accesstoken ").write(delivery())
    again = await by_name(hub, "accesstoken ").write(delivery(memory=done.memory))

    assert done.memory["called"] == "accesstoken"
    assert done.memory == again.memory
    assert [method for method, _ in hub.seen] == ["GET", "POST", "PUT"]


async def test_two_variables_of_the_name_are_rejected_with_their_ids() -> None:
    """Several variables of one name are an error that asks for an id; nothing is written."""
    hub = a_hub()
    for number in range(7):
        hub.add(f"id-{number}", "accesstoken")

    with pytest.raises(SinkRejected, match="7 logic variables named accesstoken") as caught:
        await by_name(hub).write(delivery())

    assert "id-0, id-1, id-2, id-3, id-4, …" in caught.value.remedy
    assert {"old"} == {one["value"] for one in hub.variables.values()}


async def test_200_with_another_value_is_rejected() -> None:
    """A Homey answers 200 to a body that it does not accept; only the returned value counts."""
    hub = a_hub(deaf=True)
    hub.add(UUID, "accesstoken")

    with pytest.raises(SinkRejected, match="has another value"):
        await by_name(hub).write(delivery())


async def test_a_new_variable_without_the_token_is_rejected() -> None:
    """The returned value of a creation is checked, too."""
    made = {"id": UUID, "name": "accesstoken", "type": "string", "value": ""}
    hub = a_hub(script=[answer(200, {}), answer(200, made)])

    with pytest.raises(SinkRejected, match="has another value"):
        await by_name(hub).write(delivery())


@pytest.mark.parametrize("kind", ["number", "boolean"])
async def test_a_variable_of_another_type_is_named(kind: str) -> None:
    """A wrong type is reported: found in the list for a name, in the response for an id."""
    hub = a_hub()
    hub.add(UUID, "accesstoken", kind, value=0)

    with pytest.raises(SinkRejected, match=f"has the type {kind}"):
        await by_name(hub).write(delivery())
    with pytest.raises(SinkRejected, match=f"has the type {kind}"):
        await by_id(hub).write(delivery())


async def test_after_a_400_the_type_is_looked_up() -> None:
    """After 400 for a wrong type, the type is looked up."""
    hub = a_hub(script=[answer(400, {"error": "Invalid Value"})])
    hub.add(UUID, "accesstoken", "number", value=0)

    with pytest.raises(SinkRejected, match="has the type number"):
        await by_id(hub).write(delivery())


async def test_a_400_for_a_text_variable_is_rejected_with_its_status() -> None:
    """If the list does not explain an error, its status does."""
    hub = a_hub(script=[answer(400, {"error": "Value Too Long"})])
    hub.add(UUID, "accesstoken")

    with pytest.raises(SinkRejected) as caught:
        await by_id(hub).write(delivery())

    assert caught.value.status == 400


@pytest.mark.parametrize("scopes", [frozenset(), frozenset({"homey.logic.readonly"})])
async def test_403_names_the_scope(scopes: frozenset[str]) -> None:
    """A missing scope is named, whether reading or writing fails."""
    hub = a_hub(scopes=scopes)
    hub.add(UUID, "accesstoken")

    with pytest.raises(SinkRejected) as caught:
        await by_name(hub).write(delivery())

    assert caught.value.status == 403
    assert "homey.logic" in caught.value.remedy


async def test_401_is_a_rejected_bearer() -> None:
    """A rejected bearer is not an error of the sink."""
    hub = FakeHub(URL, "another bearer")

    with pytest.raises(BearerRejected):
        await by_name(hub).write(delivery())


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (answer(503, "busy"), ServerError),
        (answer(408), ServerError),
        (answer(429, "", ("retry-after", "90")), Throttled),
        (answer(404, "mesh_node_offline"), HomeyOffline),
        (answer(200, "<html>sign in to the guest network</html>"), InvalidResponse),
        (answer(200, '{"id": "cut'), InvalidResponse),
        (answer(200, "null"), InvalidResponse),
        (answer(200, "17"), InvalidResponse),
        (answer(204), InvalidResponse),
        (answer(302, "", ("location", "https://portal.example")), SinkFailed),
    ],
    ids=["503", "408", "429", "offline", "html", "cut", "null", "number", "blank", "302"],
)
@pytest.mark.parametrize("step", [0, 1, 2], ids=["list", "create", "put"])
async def test_failures_are_classified_alike_for_each_request(
    trouble: Response, kind: type[TokendError], step: int
) -> None:
    """Listing, creating and updating classify other responses in the same way."""
    found = answer(200, {UUID: {"id": UUID, "name": "accesstoken", "type": "string"}})
    before = [[], [answer(200, {})], [found]][step]
    hub = a_hub(script=[*before, trouble])

    with pytest.raises(kind) as caught:
        await by_name(hub).write(delivery())

    assert hub.variables == {}
    if isinstance(caught.value, Throttled):
        assert timedelta(seconds=90) == caught.value.retry_after


async def test_404_of_the_list_is_a_transient_failure() -> None:
    """An address without a Homey has no list; nothing is created there."""
    hub = a_hub(script=[answer(404, "nothing here")])

    with pytest.raises(SinkFailed, match="404"):
        await by_name(hub).write(delivery())


async def test_malformed_entries_are_ignored() -> None:
    """One malformed entry among ten thousand does not hide the variable."""
    hub = a_hub()
    entries: dict[str, object] = {
        f"id-{number}": {"id": f"id-{number}", "name": f"n{number}", "type": "string"}
        for number in range(10_000)
    }
    entries |= {"a": None, "b": ["accesstoken"], "../c": {"name": "accesstoken"}, "d": {"id": 5}}
    entries[UUID] = {"name": "accesstoken", "type": "string"}
    hub.add(UUID, "accesstoken")
    hub.script = [answer(200, entries)]

    await by_name(hub).write(delivery())

    assert hub.variables[UUID]["value"] == CANARY


async def test_an_id_is_encoded_in_the_address() -> None:
    """An id can neither change the path nor add a query."""
    hub = a_hub()
    hub.add("a b?c=d#é%2e", "accesstoken")

    await by_name(hub).write(delivery())

    assert ("PUT", f"{ROOT}/a%20b%3Fc%3Dd%23%C3%A9%252e/") == hub.seen[-1]


@pytest.mark.parametrize("odd", ["", ".", "..", "a/b", "a\nb", "x" * 201])
async def test_a_malformed_id_is_never_sent(odd: str) -> None:
    """A variable whose id cannot be in a path is ignored."""
    hub = a_hub(script=[answer(200, {odd: {"name": "accesstoken"}})])

    with pytest.raises(SinkRejected, match="no logic variable"):
        await by_name(hub, create=False).write(delivery())

    assert [method for method, _ in hub.seen] == ["GET"]


async def test_no_message_contains_the_token() -> None:
    """Whatever the Homey returns, the token is in no message or traceback."""
    script = [
        answer(400, json.dumps({"error": CANARY})),
        answer(200, {"id": UUID, "type": CANARY, "value": CANARY[:-1]}),
        answer(200, CANARY),
        answer(302, CANARY, ("location", CANARY)),
    ]
    for one in script:
        hub = a_hub(script=[one])
        hub.add(UUID, "accesstoken")
        with pytest.raises(TokendError) as caught:
            await by_id(hub).write(delivery())

        shown = "".join(traceback.format_exception(caught.value)) + caught.value.remedy
        assert CANARY not in shown + repr(caught.value)


def test_targets_by_name_and_by_id_differ() -> None:
    """A variable named like an id is another target than the id."""
    hub = a_hub()

    assert by_name(hub).target == "logic_variable:accesstoken"
    assert f"logic_variable:id={UUID}" == by_id(hub).target


@pytest.mark.parametrize(("name", "key"), [(None, None), ("a", "b")])
def test_exactly_one_of_name_and_id_is_required(name: str | None, key: str | None) -> None:
    """Neither name nor id, or both, is a bug: the configuration checks it."""
    with pytest.raises(ValueError, match="exactly one"):
        LogicVariableSink(a_hub(), name=name, variable_id=key, create=True)
