"""Which Homeys have their token in a logic variable."""

import pytest

from tests.config.texts import HOMEY, read

SINK = "    sinks: [{type: logic_variable, name: accesstoken}]\n"
HUT = HOMEY.replace("homeys:\n", "").replace("  home:", "  hut:")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (HOMEY, [False, True, True]),
        (HOMEY + SINK, [True, True, True]),
        (HOMEY + "    sinks: [{type: file, path: /x/token}]\n", [False, True, True]),
        (HOMEY + HUT.replace("cloudid: cloudid", "cloudid: other") + SINK, [False, True, True]),
        (HOMEY + HUT.replace("cloudid: cloudid", "cloudid: CLOUDID") + SINK, [True, True, True]),
        (HOMEY + HUT, [False, False, True]),
    ],
    ids=["no sink", "its own", "a file", "of another Homey", "of a second entry", "neither"],
)
def test_a_variable_belongs_to_a_homey(text: str, found: list[bool]) -> None:
    """It is found for each entry with its cloudid, and assumed for an unknown name."""
    config = read(text)
    names = ("home", "hut", "gone")

    assert found == [config.has_token_in_variable(name) for name in names]
