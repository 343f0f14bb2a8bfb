"""Calls that could show the token which a sink has written to a logic variable.

Callers who may not read the token must not get it from there. The bodies of answers are not
searched for it: the variable may still hold an older token that is valid, and a flow, an app or a
script of the Homey can read it and return it in any form. So only those calls of the catalogue
are passed on whose answers contain no variable, and that run nothing the caller can choose.
"""

from homey_tokend.hub import catalogue
from homey_tokend.server.problems import Problem


def check_shows_no_variable(method: str, target: str, homey: str) -> None:
    """Check a call of somebody who may not read the token, to a Homey where a variable holds it.

    Args:
        method: Its method.
        target: Its path and query, from ``/api/`` on.
        homey: The Homey's name.

    Raises:
        Problem: 403 ``variable-not-allowed``.
    """
    endpoint = catalogue.match(method, target.partition("?")[0])
    if endpoint is None or endpoint.shows_variables:
        raise Problem(
            403,
            "variable-not-allowed",
            f"this call could show the token of {homey}, which a sink writes to a logic variable",
            more={
                "homey": homey,
                "remedy": "Add the user or one of its groups to socket.allow, and reload; until then "
                "only the calls by name are passed on (homey-tokend call --list), without those "
                "of Flow tokens, Insights and Logic.",
            },
        )
