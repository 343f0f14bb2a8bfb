"""The client's call: JSON in, JSON out, through the API proxy."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from homey_tokend import client, exit_codes
from homey_tokend.client import ClientError
from tests.support.api_server import serve_responses


@pytest.fixture
def path() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    yield folder / "d.sock"
    shutil.rmtree(folder)


def answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def test_json(path: Path) -> None:
    """A value is sent as JSON, and the response is decoded."""
    with serve_responses(path, answer(200, b'{"value": true}')) as requests:
        got = client.call("PUT", "/api/x?y=1", {"value": True}, homey="home", socket=str(path))

    assert {"value": True} == got
    assert requests[0].startswith(b"PUT /homeys/home/api/x?y=1 HTTP/1.1\r\n")
    assert b"Content-Length: 15\r\n" in requests[0]
    assert requests[0].endswith(b'\r\n\r\n{"value": true}')


def test_no_body(path: Path) -> None:
    """Without a value nothing is sent; an empty response is None."""
    with serve_responses(path, answer(200, b"")) as requests:
        got = client.call("GET", "/api/x", homey="home", socket=str(path))

    assert got is None
    assert requests[0].endswith(b"Connection: close\r\n\r\n")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, exit_codes.USAGE),
        (403, exit_codes.ACTION_NEEDED),
        (429, exit_codes.TRY_LATER),
        (500, exit_codes.UNREACHABLE),
    ],
)
def test_an_error_of_the_homey(path: Path, status: int, expected: int) -> None:
    """An error of the Homey has its message, and whether trying again can help."""
    with (
        serve_responses(path, answer(status, b'{"error": "not so"}')),
        pytest.raises(ClientError, match=f"the Homey answered {status}: not so") as caught,
    ):
        client.call("GET", "/api/x", homey="home", socket=str(path))

    assert expected == caught.value.exit_status
    assert {"error": "not so"} == caught.value.problem


@pytest.mark.parametrize("body", ['{{"error": "no session {}"}}', "no session {}"])
def test_an_echo_of_the_bearer(path: Path, body: str) -> None:
    """A Homey that repeats the bearer is reported without it; an id stays readable."""
    parts = ("0b2e6f3c-9d3f-4c5b-8a55-0f6f2f1d7c11", "4bd78b595c3a0f3d3bc6eb98" * 2)
    bearer = f"{parts[0]}:{parts[0]}:{parts[1][:40]}"
    said = body.format(f"{bearer} of {parts[0]}").encode()
    with (
        serve_responses(path, answer(401, said)),
        pytest.raises(ClientError, match=f"no session … of {parts[0]}") as caught,
    ):
        client.call("GET", "/api/x", homey="home", socket=str(path))

    assert bearer not in caught.value.message


@pytest.mark.parametrize("body", [b"<html>", b"[" * 60_000])
@pytest.mark.parametrize(
    ("status", "reported"), [(200, "is not JSON"), (400, "answered 400: [<[]")]
)
def test_no_json(path: Path, body: bytes, status: int, reported: str) -> None:
    """A response other than JSON is reported."""
    with serve_responses(path, answer(status, body)), pytest.raises(ClientError, match=reported):
        client.call("GET", "/api/x", homey="home", socket=str(path))


@pytest.mark.parametrize("value", [float("nan"), {1, 2}])
def test_values_that_json_lacks(path: Path, value: object) -> None:
    """Values that JSON does not have are not sent."""
    with pytest.raises((TypeError, ValueError)):
        client.call("PUT", "/api/x", value, homey="home", socket=str(path))
