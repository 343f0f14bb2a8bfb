"""Keys beside the section they belong to: one fault, not one for each key."""

import pytest

from tests.config.texts import HOMEY, reported

BESIDE_HOME = "stands beside home and belongs below it"
BESIDE_HOMEYS = "stands beside homeys and belongs below it"
LEFT = HOMEY.replace("\n    ", "\n")
#: A Homey with a list of sinks and a reference, at the very left.
FULL = LEFT + "sinks: [{type: exec, command: [/x]}]\ntotp_secret: {credential: totp}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HOMEY.replace("\n    ", "\n  "), [(3, 3, "homeys.email", BESIDE_HOME)]),
        (LEFT, [(3, 1, "email", BESIDE_HOME)]),
        (FULL, [(3, 1, "email", BESIDE_HOME)]),
        (
            HOMEY.replace("\n    ", "\n  ").replace("\n  home", "\nhome"),
            [(2, 1, "home", BESIDE_HOMEYS)],
        ),
        (
            LEFT.replace("\n  ", "\n"),
            [(2, 1, "home", BESIDE_HOMEYS), (3, 1, "homeys.email", BESIDE_HOME)],
        ),
        (
            HOMEY + "refresh:\nat: 0.5\njitter: 0.1\nlog:\nlevel: info\n",
            [
                (9, 1, "at", "stands beside refresh and belongs below it"),
                (12, 1, "level", "stands beside log and belongs below it"),
            ],
        ),
        (
            HOMEY + "refresh:\n  retry:\n  first: 1s\n",
            [(10, 3, "refresh.first", "stands beside retry and belongs below it")],
        ),
        (
            HOMEY + "socket:\n  allow:\n  users: [1]\n",
            [(10, 3, "socket.users", "stands beside allow and belongs below it")],
        ),
    ],
)
def test_the_cause_alone(text: str, expected: list[tuple[int, int, str, str]]) -> None:
    """Only the first key is reported, not what follows from it."""
    assert expected == reported(text)


def test_other_faults() -> None:
    """A fault of a moved key has its place in the text and its intended name."""
    text = HOMEY.replace("\n    ", "\n  ").replace("cloudid: cloudid", "cloudid: '-'")

    assert [
        (3, 3, "homeys.email", BESIDE_HOME),
        (7, 12, "homeys.home.cloudid", '"-" is not a cloud id'),
    ] == reported(text)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("homeys:\n  home:\n  other: {}\n", {"is empty", "is missing"}),
        ("homeys:\n  home:\n  email: {email: x}\n", {"is empty", "is missing"}),
        ("homeys:\nx-a: {}\nlog: {}\n", {"is empty"}),
        ("homeys:\nhom: 1\n", {"is empty", "is not a known key"}),
        ("homeys: {}\nemail: x\n", {"names no Homey", "is not a known key"}),
        ("homeys: []\n", {"is a list where a mapping belongs"}),
        (HOMEY + "state:\nat: 0.5\n", {"is empty", "is not a known key"}),
        (HOMEY + "x-a:\nat: 0.5\n", {"is not a known key"}),
    ],
)
def test_other_keys_are_not_moved(text: str, messages: set[str]) -> None:
    """Keys that do not belong below it are reported as usual."""
    assert messages == {message for *_, message in reported(text)}


def test_a_strange_name_is_not_repeated() -> None:
    """A text that does not look like a key is not repeated."""
    text = HOMEY.replace("\n    ", "\n  ").replace("home:", "'two words':")

    assert [(3, 3, "homeys.email", "stands beside the key above and belongs below it")] == (
        reported(text)[1:]
    )
