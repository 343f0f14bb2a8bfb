"""Redirects: at most three, within the origin, if the request allows it, with cookies."""

import pytest

from homey_tokend.core.errors import ProtocolChanged
from homey_tokend.core.http_types import Request, Response, Step
from homey_tokend.http.transport import HttpTransport
from tests.http.servers import CANARY, RawServer, answer


def redirect(location: str, *headers: str, status: int = 302) -> bytes:
    return answer(status, b"", f"Location: {location}", *headers)


async def follow(transport: HttpTransport, server: RawServer, path: str = "/a") -> Response:
    request = Request(Step.AUTHORISE, "GET", server.url + path, follow=True)
    return await transport.send(request)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_of_the_same_origin_is_followed(
    transport: HttpTransport, status: int
) -> None:
    """The last response is returned."""
    async with RawServer(redirect("/b?x=1", status=status), answer(200, b"form")) as server:
        response = await follow(transport, server)

    assert (response.status, response.body) == (200, b"form")
    assert server.head().startswith("GET /b?x=1 HTTP/1.1")


async def test_cookies_are_sent_along_and_returned(transport: HttpTransport) -> None:
    """Each redirect sends the cookies set before; the response has those of all."""
    async with RawServer(
        redirect("/b", "Set-Cookie: a=1; Path=/; HttpOnly", "Set-Cookie: sess=old"),
        redirect("/c", "Set-Cookie: sess=new; Secure"),
        answer(200, b"form", "Set-Cookie: _csrf=x-_y; Path=/"),
    ) as server:
        url = server.url + "/a"
        request = Request(Step.AUTHORISE, "GET", url, headers={"Cookie": "own=0"}, follow=True)
        response = await transport.send(request)

    assert "Cookie: own=0\r\n" in server.head(0) + "\r\n"
    assert "Cookie: own=0; a=1; sess=old\r\n" in server.head(1) + "\r\n"
    assert "Cookie: own=0; a=1; sess=new\r\n" in server.head(2) + "\r\n"
    assert response.all_headers("set-cookie") == (
        "a=1; Path=/; HttpOnly",
        "sess=old",
        "sess=new; Secure",
        "_csrf=x-_y; Path=/",
    )


async def test_a_location_is_not_re_encoded(transport: HttpTransport) -> None:
    """The encoding of a Location is not changed."""
    target = "/b?redirect_uri=http%3A%2F%2Flocalhost&t=%7E~%2B+&u=%C3%A4"
    async with RawServer(redirect(target), answer()) as server:
        await follow(transport, server)

    assert server.head().startswith(f"GET {target} HTTP/1.1")


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost?code=" + "a" * 40,
        "http://localhost/?code=1",
        "https://127.0.0.1/",
        "//elsewhere.example/",
        "http://127.0.0.1:1/",
        "mailto:a@example.com",
        "http://[nonsense",
        "https://[]@",
        "//]:[é@",
        "http://127.0.0.1:port/",
    ],
)
async def test_a_redirect_elsewhere_is_returned(transport: HttpTransport, location: str) -> None:
    """Another host, scheme or port gets no request, because it would get the code."""
    async with RawServer(redirect(location), answer(200, b"wrong")) as server:
        response = await follow(transport, server)

    assert (302, location) == (response.status, response.header("location"))
    assert len(server.requests) == 1


async def test_redirects_are_only_followed_on_request(transport: HttpTransport) -> None:
    """Without ``follow``, and for a POST, a redirect is a response like any other."""
    async with RawServer(redirect("/b")) as server:
        got = await transport.send(Request(Step.TOKEN, "GET", server.url))
        posted = await transport.send(Request(Step.CONSENT, "POST", server.url, follow=True))

    assert (got.status, posted.status) == (302, 302)
    assert len(server.requests) == 2


async def test_only_redirects_with_a_location_are_followed(transport: HttpTransport) -> None:
    """A 201 with a Location and a 302 without one are not redirects."""
    async with RawServer(answer(201, b"", "Location: /b"), answer(302)) as server:
        created = await follow(transport, server)
        nowhere = await follow(transport, server)

    assert (created.status, nowhere.status) == (201, 302)


async def test_a_fourth_redirect_is_an_error(transport: HttpTransport) -> None:
    """An endless redirect is reported as such, without the URL."""
    async with RawServer(redirect(f"/again?user_token={CANARY}")) as server:
        with pytest.raises(ProtocolChanged, match="more than 3 times") as caught:
            await follow(transport, server)

    assert len(server.requests) == 4
    assert CANARY not in str(caught.value)
    assert caught.value.step == "authorise"
