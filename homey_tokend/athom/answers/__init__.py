"""The sorting table of ``docs/wire.md``: what each answer of each step means.

Status and shape choose the class; the text of an answer chooses only the
sentence shown to a person (sole exception: ``mesh_node_offline``). Nothing here
trusts a size, a type or a number that the wire brings.

``accounts``, ``cloud`` and ``homey`` sort what each host answers, by what all of them
share: ``shapes``, ``dates`` and ``excerpts``.
"""

from homey_tokend.athom.answers.accounts import (
    no_form,
    no_redirect,
    parse_redirect,
    parse_user_token,
    raise_for_consent,
)
from homey_tokend.athom.answers.cloud import parse_delegation, parse_grant, parse_homeys
from homey_tokend.athom.answers.common import parse_json, raise_for_common_failures
from homey_tokend.athom.answers.dates import clock_skew, retry_after
from homey_tokend.athom.answers.homey import parse_homey_login, parse_session
from homey_tokend.core.excerpt import said

__all__ = [
    "clock_skew",
    "no_form",
    "no_redirect",
    "parse_delegation",
    "parse_grant",
    "parse_homey_login",
    "parse_homeys",
    "parse_json",
    "parse_redirect",
    "parse_session",
    "parse_user_token",
    "raise_for_common_failures",
    "raise_for_consent",
    "retry_after",
    "said",
]
