"""A damaged state file is StateUnusable and nothing else, and shows nothing of what is in it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from homey_tokend.core.errors import StateUnusable
from homey_tokend.storage.document import StateDocument, from_json, to_json
from tests.storage.test_document import DOCUMENT

BLOB = to_json(DOCUMENT)
Path = tuple[str | int, ...]
#: Names from a person or the configuration, for which any text is valid.
_NAMED = {("homeys",), ("accounts",), ("refresh_tokens",), ("homeys", "home", "sinks")}


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(BLOB)
    return found


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value of the document with its path, the containers too."""
    yield path, value
    inner = list(value.items() if isinstance(value, dict) else ())
    inner += enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from leaves(one, (*path, key))


def with_value(path: Path, value: Any) -> bytes:
    """The file with one value replaced."""
    found = document()
    place: Any = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(found).encode()


def without(path: Path) -> bytes:
    """The file with one value left out."""
    found = document()
    place: Any = found
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return json.dumps(found).encode()


def named(path: Path) -> str:
    return ".".join(map(str, path))


PLACES = [pytest.param(path, value, id=named(path)) for path, value in leaves(document()) if path]
#: Wrong values for each kind of value. (An integer is valid for a share.)
WRONG: dict[type, list[Any]] = {
    str: [7, True, None, [], {}],
    int: [1.5, True, "7", [], {}, 2**53, -1, 10**400],
    float: ["0.5", True, None, [], 1.5, -0.1, float("nan"), float("inf")],
    bool: [0, "true", None, []],
    list: [{}, None, "text", [None], [[]]],
    dict: [[], None, "text", 7],
    type(None): [True, [], {}, 1.5],
}
#: The fields in which null is valid.
MAY_BE_NULL = {
    "clock",
    "token",
    "url",
    "attempted_at",
    "failure",
    "rejection",
    "not_before",
    "status",
    "generation",
    "delivered_at",
    "failed_generation",
}


def rejected(blob: bytes) -> StateUnusable:
    """The error for a damaged file; it shows nothing of what is in it."""
    with pytest.raises(StateUnusable) as caught:
        from_json(blob)
    shown = f"{caught.value.message} {caught.value.remedy}"
    assert "bearer" not in shown
    assert "refresh" not in shown
    return caught.value


@pytest.mark.parametrize(("path", "value"), PLACES)
def test_a_wrong_type_is_damage(path: Path, value: Any) -> None:
    for wrong in WRONG[type(value)]:
        if wrong is None and path[-1] in MAY_BE_NULL:
            continue
        if wrong == 1.5 and path[-1] == "elapsed":
            continue  # seconds, not a share
        rejected(with_value(path, wrong))


@pytest.mark.parametrize(("path", "value"), PLACES)
def test_a_missing_value_is_damage(path: Path, value: Any) -> None:
    del value
    if path[:-1] in _NAMED or "memory" in path[:-1] or isinstance(path[-1], int):
        return
    if path[-1] in {"cloudid", "clock"}:
        return  # an older version did not store it

    rejected(without(path))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("version",), 2, id="another version"),
        pytest.param(("version",), "x" * 9999, id="a version that is long text"),
        pytest.param(("homeys", "home", "token", "value"), "", id="an empty token"),
        pytest.param(
            ("homeys", "home", "token", "value"), "a\r\nb: c", id="a token of several lines"
        ),
        pytest.param(("refresh_tokens", "home"), "\ud800", id="a token that cannot be sent"),
        pytest.param(("homeys", "home", "token", "generation"), 2, id="a token too new"),
        pytest.param(
            ("homeys", "home", "token", "expires_at"),
            "2026-03-01T12:00:00+00:00",
            id="a token that expires at its issue",
        ),
        pytest.param(("homeys", "home", "attempted_at"), "2026-03-01T12:00:00", id="no time zone"),
        pytest.param(("homeys", "home", "attempted_at"), "yesterday", id="a malformed instant"),
        pytest.param(
            ("homeys", "home", "attempted_at"), "9999-12-31T23:59:59Z", id="far in the future"
        ),
        pytest.param(
            ("homeys", "home", "attempted_at"), "0001-01-01T00:00:00Z", id="far in the past"
        ),
        pytest.param(("homeys", "home", "sinks", "file", "generation"), 2, id="a sink too new"),
        pytest.param(
            ("homeys", "home", "sinks", "exec", "failed_generation"), 2, id="a failure too new"
        ),
        pytest.param(("accounts", "key", "one_time_steps"), [0] * 1001, id="a list without end"),
    ],
)
def test_an_impossible_value_is_damage(path: Path, value: Any) -> None:
    assert len(rejected(with_value(path, value)).message) < 100


@pytest.mark.parametrize(
    "path", [path for path, value in leaves(document()) if isinstance(value, dict)], ids=named
)
def test_an_unknown_field_is_ignored(path: Path) -> None:
    if path in _NAMED or "memory" in path:
        return

    assert DOCUMENT == from_json(with_value((*path, "from a later version"), {"a": 1}))


def test_a_file_cut_off_anywhere_is_damage() -> None:
    for end in range(len(BLOB) - 2):
        rejected(BLOB[:end])


@settings(max_examples=200)
@given(st.binary(max_size=200))
@example(b"\x00")
@example(b"\xff\xfe{\x00}\x00")
@example(b"[" * 100_000)
@example(b'{"version": ' * 100_000)
@example(b'{"version": 1, "homeys": ' + b"[" * 3000 + b"]" * 3000 + b"}")
@example(b'{"version": ' + b"9" * 5000 + b"}")
@example(b'{"version": NaN}')
@example(b"null")
@example(b"[]")
@example(b"1")
def test_arbitrary_bytes_are_damage(blob: bytes) -> None:
    rejected(blob)


@settings(max_examples=200)
@given(st.data())
def test_a_file_with_any_bytes_changed_is_damage_or_a_document(data: st.DataObject) -> None:
    blob = bytearray(BLOB)
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))

    try:
        document: StateDocument | None = from_json(bytes(blob))
    except StateUnusable:
        document = None

    assert document is None or document == from_json(to_json(document))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["2026-03-01T12:00:00+00:00", "9000-12-31T23:59:59+14:00"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["token", "failure", "at", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=200)
@given(st.sampled_from([path for path, _ in leaves(document()) if path]), json_values)
def test_a_file_with_any_value_anywhere_is_damage_or_a_document(path: Path, value: Any) -> None:
    try:
        document: StateDocument | None = from_json(with_value(path, value))
    except StateUnusable:
        document = None

    assert document is None or document == from_json(to_json(document))


def test_a_lone_surrogate_in_a_message_becomes_a_question_mark() -> None:
    place = ("homeys", "home", "failure", "last_error", "message")

    failure = from_json(with_value(place, "a\ud800b")).homeys["home"].failure

    assert failure is not None
    assert "a?b" == failure.last_error.message


def test_the_sample_has_every_kind_of_value() -> None:
    assert set(WRONG) == {type(value) for _, value in leaves(document())}
