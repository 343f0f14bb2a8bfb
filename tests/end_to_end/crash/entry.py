"""``homey-tokend run`` that kills itself at the point given by DIE_AT.

"disk:N": at the N-th point that ``write_private`` tells of (five to a write of the
state). "answered:STEP": when the answer to this step has been read, before anything
is made of it. "sent:STEP": before the request goes out.
"""

import os
import signal
import sys
from functools import partial
from itertools import count

from homey_tokend import build
from homey_tokend.cli import main
from homey_tokend.core.http_types import Request, Response
from homey_tokend.http.transport import HttpTransport
from homey_tokend.storage.state_file import StateFile

KIND, _, POINT = os.environ.pop("DIE_AT").partition(":")
_numbers = count(1)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _at(_point: str) -> None:
    if KIND == "disk" and next(_numbers) == int(POINT):
        _die()


class Mortal(HttpTransport):
    """A transport that kills the process before a request or after its response."""

    async def send(self, request: Request) -> Response:
        if (KIND, POINT) == ("sent", request.step):
            _die()
        response = await super().send(request)
        if (KIND, POINT) == ("answered", request.step):
            _die()
        return response


if __name__ == "__main__":
    vars(build).update(StateFile=partial(StateFile, at=_at), HttpTransport=Mortal)
    sys.exit(main.main())
