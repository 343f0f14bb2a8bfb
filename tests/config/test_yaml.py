"""Text that is not YAML, or exceeds a limit, is reported with its place in our own words."""

import pytest
import yaml

from homey_tokend.core.secret import Secret
from tests.config.texts import CANARY, HOMEY, NEXT, below_home, faults, read, reported

TOO_MANY = "there are more than 20000 values, with aliases expanded"


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        (b"", (1, 1), "is empty"),
        (b"# only a comment\n", (1, 1), "is empty"),
        (b"---\n", (1, 1), "is empty"),
        (b"null", (1, 1), "is empty"),
        (b"\xff\xfeh\x00", (0, 0), "is UTF-16"),
        (b"\xfe\xff\x00h", (0, 0), "is UTF-16"),
        (b"homeys:\n  h\xe9", (2, 4), "is not UTF-8 here"),
        (b"a: b\0", (1, 5), "contains the character U+0000, as binary files do"),
        (b"\x7fELF\x02\x01", (1, 1), "contains the character U+007F, as binary files do"),
        (b"a: b\r\nb: \x1b", (2, 4), "contains the character U+001B, as binary files do"),
        (b"x" * (1024 * 1024 + 1), (0, 0), "is larger than 1 MiB"),
        (b"- a\n", (1, 1), "there is no mapping at the top"),
        (b"text", (1, 1), "there is no mapping at the top"),
        (b"a: 1\n---\nb: 2\n", (2, 1), "a second document starts here"),
        (b"a:\n\tb: 1\n", (2, 1), "there is a tab in place of blanks"),
        (b"a: b\tc\n", (1, 5), "there is a tab in place of blanks"),
        (b"a:\tb\n", (1, 3), "there is a tab in place of blanks"),
        (b"a: b: c\n", (1, 5), "there is a colon in a wrong place"),
        (b"a: 'b\n", (2, 1), "a quote is opened and never closed"),
        (b'a: "\\q"\n', (1, 6), "a backslash is followed by a character without meaning"),
        (b'a: "\\UFFFFFFFF"\n', (1, 7), "is not YAML from here on"),
        (b"a: @b\n", (1, 4), "a value starts with @"),
        (b"a: `b\n", (1, 4), "a value starts with a backtick"),
        (b"a: %b\n", (1, 4), "a value starts with %"),
        (b"a: [1\nb: 2\n", (2, 2), "is not YAML from here on"),
        (b"a:\n  b: 1\n c: 2\n", (3, 2), "the indentation does not fit the lines above"),
        (b"a: 1\nb\n", (3, 1), "a key has no colon, or a text continues without indentation"),
        (b"{a: 1}}\n", (1, 7), "is not YAML from here on"),
        (
            b"a: *b\n",
            (1, 4),
            "a value starts with *, which names an alias, and no anchor has that name",
        ),
        (b"a: &x [*x]\n", (1, 8), "an alias is inside the value that it refers to"),
        (b"a: &x {<<: *x}\n", (1, 12), "an alias is inside the value that it refers to"),
        (b"? [a]\n: b\n", (1, 3), "a list or a mapping is in the place of a key"),
        (b"a: {{x}}\n", (1, 5), "a list or a mapping is in the place of a key"),
        (b"a: &x [1]\n*x : b\n", (2, 1), "an alias of a list or mapping is a key"),
        (b"a: " + b"[" * 40, (1, 35), "lists and mappings are nested more than 32 levels deep"),
        (b"x: &x 1\na: [" + b"*x," * 1001 + b"]", (2, 3005), "there are more than 1000 aliases"),
        (b"a: [" + b"1," * 20000 + b"]", (1, 39999), TOO_MANY),
        (b"a: [{b: c}\n", (2, 1), "a bracket or a brace is opened and never closed"),
        (
            b"a: &x 1\nb: &x 2\n",
            (2, 4),
            "a value starts with &, which names an anchor, and that name is used above",
        ),
    ],
    ids=[f"text{number}" for number in range(39)],
)
def test_no_tree(data: bytes, place: tuple[int, int], message: str) -> None:
    """A text that is not a tree has one fault with its place."""
    assert [(*place, "", message)] == reported(data)


def test_billion_laughs() -> None:
    """Nested aliases that expand to a billion values are rejected at once."""
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    [(_, _, _, message)] = reported("\n".join(lines))

    assert TOO_MANY == message


def test_quadratic_merges() -> None:
    """Merging a large mapping repeatedly is rejected, because its aliases count."""
    keys = ", ".join(f"k{n}: 1" for n in range(1000))
    text = f"x-a: &a {{{keys}}}\nx-b:\n" + "  - {<<: *a}\n" * 900
    [(_, _, _, message)] = reported(text)

    assert TOO_MANY == message


def test_duplicate_keys() -> None:
    """A duplicate key is reported with both places, along with the other faults."""
    text = below_home("cloudid: other") + "refresh: {at: 5}\nrefresh: {}\n"

    assert [
        (
            NEXT,
            5,
            "homeys.home.cloudid",
            "this key is a duplicate, first in line 7, column 5",
        ),
        (NEXT + 1, 15, "refresh.at", 'must be a number above 0 and at most 0.95, not "5"'),
        (NEXT + 2, 1, "refresh", f"this key is a duplicate, first in line {NEXT + 1}, column 1"),
    ] == reported(text)


def test_duplicate_merge_key() -> None:
    """Two merge keys in one mapping are reported: other YAML parsers use only one."""
    text = "x-a: &a {at: 0.4}\n" + HOMEY + "refresh:\n  <<: *a\n  <<: *a\n"

    assert [
        (11, 3, "refresh.<<", "this key is a duplicate, first in line 10, column 3")
    ] == reported(text)


@pytest.mark.parametrize("merged", ["text", "[*a, text]", "", "[[*a]]"])
def test_bad_merge(merged: str) -> None:
    """Only mappings can be merged."""
    text = "x-a: &a {at: 0.4}\n" + HOMEY + f"refresh:\n  <<: {merged}\n"

    assert [(10, 3, "refresh", "<< merges something that is not a mapping")] == reported(text)


def test_quoted_merge_key() -> None:
    """A merge key in quotes is an ordinary, unknown key."""
    assert [(NEXT, 11, "refresh.<<", "is not a known key")] == reported(
        HOMEY + 'refresh: {"<<": {}}\n'
    )


def test_tags() -> None:
    """Known tags have no effect; others are rejected without being repeated."""
    text = HOMEY.replace("client_id: id", "client_id: !!str null")
    strange = HOMEY.replace(f"password: {CANARY}", f"password: !{CANARY}")

    assert Secret("null") == read(text).homeys["home"].client_id.plain
    assert [
        (4, 15, "homeys.home.password", "a value starts with !, which names a tag that is not known here"),
        (4, 15, "homeys.home.password", "is empty"),
    ] == reported(strange)  # fmt: skip
    for tagged in ("!!python/object:os.system {}", "!!set {a}", "!!binary aGk=", "!x [a]"):
        assert "a value starts with !, which names a tag that is not known here" in {
            message for *_, message in reported(HOMEY + f"x-a: {tagged}\n")
        }


def test_tag_on_a_key() -> None:
    """A tag on a key is reported with the path above it."""
    assert [
        (NEXT, 7, "log", "a value starts with !, which names a tag that is not known here")
    ] == reported(HOMEY + "log: {!x level: info}\n")


def test_tag_in_a_list() -> None:
    """A tag in a list is reported with its index."""
    assert ["x-a[1].b"] == [key for _, _, key, _ in reported(HOMEY + "x-a: [1, {b: !x 2}]\n")]


@pytest.mark.parametrize("escape", ["\\0", "\\ud800", "\\udc00 x"])
def test_bad_escapes(escape: str) -> None:
    """An escape that text cannot contain is reported without the text."""
    text = HOMEY.replace(f"password: {CANARY}", f'password: "{CANARY}{escape}"')

    assert [
        (
            4,
            15,
            "homeys.home.password",
            "the text contains an escape for NUL or for half a character",
        )
    ] == reported(text)


@pytest.mark.parametrize(
    "written",
    [
        f"*{CANARY}", f"&{CANARY}", f"!{CANARY}", f"@{CANARY}", f"%{CANARY}", f"`{CANARY}",
        f"{{{CANARY}}}", f"[{CANARY}]", f"{{{CANARY}, {CANARY}}}", f"{{{{{CANARY}}}}}",
        f"{{password:{CANARY}}}", f'"{CANARY}', f"'{CANARY}", f"a: {CANARY}", f"{CANARY}: b",
        f"|{CANARY}", f">{CANARY}", f"- {CANARY}", f"? {CANARY}", f"\n      {CANARY}: 1",
        f"\n  {CANARY}", f"\n{CANARY}", f"{{env: '{CANARY} !'}}", f"{{file: {CANARY}}}",
        f"{{env: {{x: {CANARY}}}}}", f"{{command: {CANARY}}}", f"{{command: [x/{CANARY}]}}",
        f"{{credential: /{CANARY}}}", f"{{file: /a, env: {CANARY}}}", f'"\\q{CANARY}"',
        f"{{{CANARY}: {CANARY}, file: /x}}", f"{{command: [[{CANARY}]]}}", "{command: ['']}",
        f"[{CANARY}: x]", f"{{file: {{{CANARY}: 1}}}}", "", "''", '"\\n"', "{}", "[]",
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["email", "password", "client_id", "client_secret", "totp_secret"])
def test_secrets_without_quotes(key: str, written: str) -> None:
    """No message repeats a secret, whatever it becomes without its quotes."""
    lines = {"email": "e@x", "password": "p", "client_id": "i", "client_secret": "s"}
    text = "homeys:\n  home:\n    cloudid: c\n" + "".join(
        f"    {name}: {value}\n" for name, value in {**lines, key: written}.items()
    )
    if key == "totp_secret" and written == "":
        assert None is read(text).homeys["home"].totp_secret
    else:
        assert faults(text)


def test_pyyaml_messages_are_known() -> None:
    """PyYAML still has the messages by which ours are chosen."""
    with pytest.raises(yaml.MarkedYAMLError, match="mapping values are not allowed"):
        list(yaml.parse("a: b: c", yaml.SafeLoader))


def test_deepest_nesting() -> None:
    """Lists and mappings may be nested 32 levels deep."""
    text = HOMEY + "x-a: " + "[" * 31 + "a" + "]" * 31 + "\n"

    assert ["home"] == list(read(text).homeys)
    assert ["lists and mappings are nested more than 32 levels deep"] == [
        message for *_, message in reported(text.replace("[a]", "[[a]]"))
    ]


@pytest.mark.parametrize("pair", ["\\ud83d\\ude00", "\U0001f600"])
def test_characters_of_json(pair: str) -> None:
    """Both ways in which JSON writes a character beyond the first 65,536 are read."""
    text = HOMEY.replace(f"password: {CANARY}", f'password: "{pair}"')

    assert Secret("\U0001f600") == read(text).homeys["home"].password.plain
