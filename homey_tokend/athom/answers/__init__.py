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
    raise_for_consent,
    redirected_code,
    user_token_of,
)
from homey_tokend.athom.answers.cloud import delegation_of, grant_of, homeys_of
from homey_tokend.athom.answers.common import json_of, raise_for_trouble
from homey_tokend.athom.answers.dates import retry_after_of, skew_of
from homey_tokend.athom.answers.homey import homey_login_of, session_of
from homey_tokend.core.excerpt import clean, said

__all__ = [
    "clean",
    "delegation_of",
    "grant_of",
    "homey_login_of",
    "homeys_of",
    "json_of",
    "no_form",
    "no_redirect",
    "raise_for_consent",
    "raise_for_trouble",
    "redirected_code",
    "retry_after_of",
    "said",
    "session_of",
    "skew_of",
    "user_token_of",
]
