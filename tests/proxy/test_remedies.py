"""Calls that fail before anything is sent say what to do about it."""

import json
from pathlib import Path

import trustme

from tests.http.servers import RawServer, server_tls
from tests.support.api_proxy import LONG_TIMEOUTS, running_proxy


async def test_an_unknown_authority(socket_path: Path) -> None:
    """The problem names the variable for an authority of one's own, as the sign-in does."""
    tls = server_tls(trustme.CA().issue_cert("127.0.0.1"))
    environ = {"REQUESTS_CA_BUNDLE": "/ours.pem"}
    async with (
        running_proxy(socket_path, LONG_TIMEOUTS, environ=environ) as proxy,
        RawServer(tls=tls) as server,
    ):
        proxy.hub.url = server.url
        proxy.hold()
        got = await proxy.ask()
    problem = json.loads(got.body)

    assert (502, []) == (got.status, server.requests)
    assert "could not be verified" in problem["detail"]
    assert "name the same file in SSL_CERT_FILE" in problem["remedy"]
