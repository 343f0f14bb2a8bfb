"""After a response to the password that is not HTTP, the next password waits a quarter of an hour."""

from datetime import timedelta

import pytest

from tests.http.servers import Answer, Does, RawServer, answer
from tests.keeper.harness import DAY, MINUTE, Harness

#: Unreadable responses of a broken proxy, after the password was sent.
UNREADABLE: dict[str, Answer] = {
    "a header without a colon": answer(200, b'{"token": "t"}', "X-XSS-Protection=1;"),
    "200 headers": answer(200, b'{"token": "t"}', *(f"X-{number}: a" for number in range(200))),
    "a header of 20 KB": answer(200, b'{"token": "t"}', "X-Long: " + "a" * 20_000),
    "bytes after the body": answer(200, b'{"token": "t"}') + b"\0\0",
    "two lengths": answer(200, b"{}", "Content-Length: 3"),
    "chunks without a size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "another version": answer(200, b"{}").replace(b"HTTP/1.1", b"HTTP/7.7"),
    "a status that is none": answer(99, b"{}"),
    "a rejection with a broken header": answer(401, b'{"code": 401}', "Broken"),
    "a body of 2 MiB": answer(200, b"x" * (2 << 20)),
    "an unknown coding": answer(200, b"{}", "Content-Encoding: br"),
}
#: Transient failures: attempts are repeated soon, within the sign-in budget.
PASSING: dict[str, Answer] = {
    "a reset": Does.RESET,
    "no answer": Does.CLOSE,
    "a cut body": answer(200, b"{}").replace(b"Length: 2", b"Length: 20"),
    "a cut head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "503": answer(503, b"{}"),
    "a page": answer(200, b"<html>sign in to the guest network</html>"),
}


async def started_at(harness: Harness, server: RawServer) -> None:
    """Start with a server that answers for the accounts of Athom."""
    document = harness.document()
    document["endpoints"]["accounts"] = server.url
    await harness.start(document)


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_password_waits_after_an_unreadable_answer(harness: Harness, raw: Answer) -> None:
    """One password in a quarter of an hour, however often the daemon is restarted."""
    async with RawServer(raw) as server:
        await started_at(harness, server)

        assert harness.last_error() == "unreadable_response login"
        assert harness.view().next_at == harness.now + 15 * MINUTE

        for _ in range(3):
            await harness.wait(4 * MINUTE)
            await harness.stop()
            await started_at(harness, server)
        assert len(server.requests) == 1

        await harness.wait(3 * MINUTE)
        assert len(server.requests) == 2


@pytest.mark.parametrize("raw", PASSING.values(), ids=PASSING)
async def test_transient_failures_are_retried_soon(harness: Harness, raw: Answer) -> None:
    """After a reset, a truncated response, 5xx or HTML, the next attempt is within seconds."""
    async with RawServer(raw) as server:
        await started_at(harness, server)
        await harness.wait(timedelta(seconds=10))

        assert len(server.requests) > 1


async def test_an_unreadable_answer_counts_against_the_budget(harness: Harness) -> None:
    """The password may have been judged: at most twelve are sent within half a day."""
    async with RawServer(UNREADABLE["a header without a colon"]) as server:
        await started_at(harness, server)
        await harness.wait(DAY / 2)

        assert len(server.requests) <= 12
