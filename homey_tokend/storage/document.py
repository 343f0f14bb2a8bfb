"""All that is kept across restarts, as versioned JSON. Pure.

Which fields are kept is written out here once, by hand: what goes to the disk is
a decision, not an accident. Reading believes nothing: a wrong type anywhere makes
the whole file damaged, and the caller sets it aside.
"""

from homey_tokend.storage.document_contents import (
    StateDocument,
    with_accounts,
    with_homey,
    without_homey,
)
from homey_tokend.storage.document_reader import from_json
from homey_tokend.storage.document_writer import to_json

__all__ = [
    "StateDocument",
    "from_json",
    "to_json",
    "with_accounts",
    "with_homey",
    "without_homey",
]
