"""The routes of an application: each request is checked, counted as work, and answered.

There is no middleware: it would cost each request for the current token.
"""

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from homey_tokend.server import problems
from homey_tokend.server.connection import connection_of
from homey_tokend.server.problems import Problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: Checks a request before it is served: None admits it, a Problem is the response.
RequestCheck = Callable[[web.Request], Problem | None]

_INTERNAL_ERROR = "internal error; see the daemon's log"

_log = structlog.get_logger()


class Routes:
    """Add routes to a new application.

    Args:
        check: Checks each request.
    """

    def __init__(self, check: RequestCheck) -> None:
        self.app = web.Application()
        self._check = check

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Serve a method at a path, HEAD with GET, and answer 405 to the others."""
        allowed = ("GET", "HEAD") if method == "GET" else (method,)
        resource = self.app.router.add_resource(path)
        for verb in allowed:
            resource.add_route(verb, self._checked(handler))

        async def wrong_method(request: web.Request) -> web.Response:
            raise problems.method_not_allowed(request.method, ", ".join(allowed))

        resource.add_route("*", self._checked(wrong_method))

    def add_all_methods(self, path: str, handler: Handler, check: RequestCheck) -> None:
        """Serve every method at a path, with a check of its own."""
        self.app.router.add_resource(path).add_route("*", self._checked(handler, check))

    def add_unknown(self, detail: str) -> None:
        """Answer 404 to every other path, with what is served instead."""

        async def unknown_path(_request: web.Request) -> web.Response:
            raise Problem(404, "unknown-path", detail)

        self.add_all_methods("/{rest:.*}", unknown_path, self._check)

    def _checked(self, handler: Handler, check: RequestCheck | None = None) -> Handler:
        """Return a handler that checks the request first and answers errors as problems."""
        check = check or self._check

        async def checked(request: web.Request) -> web.StreamResponse:
            connection = connection_of(request)
            connection.begin(request)
            try:
                problem = check(request)
                return await handler(request) if problem is None else _refused(problem)
            except Problem as problem:
                return problem.response()
            except Exception as error:  # noqa: BLE001  a bug is logged; its text stays in the log
                _log.error("request.failed", error=type(error).__name__, exc_info=error)
                return Problem(500, "internal-error", _INTERNAL_ERROR).response()
            finally:
                connection.end()

        return checked


def _refused(problem: Problem) -> web.Response:
    """Return the response after which the connection is closed: a refused client keeps none."""
    response = problem.response()
    response.force_close()
    return response
