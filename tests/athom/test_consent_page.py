"""The consent page: the form's token, the Homeys, and linear time."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homey_tokend.athom.consent_page import find_csrf, find_offered_homeys

FIELD = '<input name="_csrf" value="good">'
DECOY = '<input name="_csrf" value="decoy">'


@pytest.mark.parametrize(
    "page",
    [
        '<input type="hidden" name="_csrf" value="good">',
        '<input value="good" type=hidden name="_csrf"/>',
        "<INPUT NAME='_csrf' VALUE='good'>",
        "<input name=_csrf value=good>",
        "<input\n\tname = _csrf\n value = 'good' hidden />",
        '<input/name="_csrf"/value="good"/>',
        '<input name="_csrf" name="x" value="good" value="bad">',
        "<input name=_csrf value=go&#111;&#x64;>",
        '<input name="&#95;csrf" value="good">',
        f'<meta name="_csrf" content="decoy" value="decoy">{FIELD}',
        f"<!-- {DECOY} -->{FIELD}",
        f"<!-->{FIELD}<!-- -->",
        f"<script>var form = '{DECOY}';</script>{FIELD}",
        f"<SCRIPT>'{DECOY}'</script x>{FIELD}",
        f"<style>{DECOY}</styles></style>{FIELD}",
        f"<textarea>{DECOY}</textarea><title>{DECOY}</title>{FIELD}",
        f"<template>{DECOY}<template>{DECOY}</template>{DECOY}</template>{FIELD}",
        f"</template>{FIELD}",
        f'<a title="{DECOY.replace(chr(34), chr(39))}">{FIELD}</a>',
        f"<a title='{DECOY}'>{FIELD}</a>",
        f"<p it's>{FIELD}",
        f"<!DOCTYPE html><?xml {DECOY}{FIELD}",
        f"<![foo[ x ]]>{FIELD}",
        f"</>< a>a < b{FIELD}",
        f'<input name="csrf" value="x"><input value="y"><input name="_csrf">{FIELD}',
        f'<input name="_csrf" value="">{FIELD}',
        f'<form>{FIELD}</form><form><input name="_csrf" value="second"></form>',
        f'<input name="_csrf" value="{"x" * 4097}">{FIELD}',
        f'<input name="_csrf" value="x" {"y" * 16384}>{FIELD}',
        f"<input = value {FIELD}>{FIELD}",
    ],
)
def test_the_field_is_found(page: str) -> None:
    """The field is found in any order, quoting and case, among similar elements."""
    assert "good" == find_csrf(f"<html><body>{page}</body></html>".encode())


@pytest.mark.parametrize(
    "page",
    [
        "",
        "plain text",
        "<html></html>",
        '<meta name="_csrf" content="x" value="x">',
        f"<!-- {FIELD}",
        f"<!-- {FIELD} --!>",
        f"<script>{FIELD}",
        f"<template>{FIELD}",
        '<input name="_csrf" value="x"',
        '<input name="_csrf" value="x',
        '<inputs name="_csrf" value="x">',
        '</input name="_csrf" value="x">',
        '<input name="_CSRF" value="x">',
        '<input data-name="_csrf" value="x">',
        "<!doctype",
    ],
)
def test_a_page_without_the_field_has_none(page: str) -> None:
    """An unclosed, commented out or differently named field does not count."""
    assert find_csrf(page.encode()) is None


@pytest.mark.parametrize("token", ["HyMIxlAx-xdoe64dpEyRdp6ny5kvKFJKKxL0", "-_-_", "é&<\"'>"])
def test_the_whole_value_is_returned(token: str) -> None:
    """csurf's alphabet has - and _, and entities are decoded."""
    escaped = token.replace("&", "&amp;").replace('"', "&quot;")

    assert token == find_csrf(f'<input name="_csrf" value="{escaped}">'.encode())


def test_a_page_in_another_encoding_still_has_its_field() -> None:
    """Malformed text nearby does not matter."""
    assert "good" == find_csrf("<p>Zustimmung für Müller</p>".encode("latin-1") + FIELD.encode())


@pytest.mark.parametrize(
    "piece",
    [
        "<", "<!", "<a ", "<!--", "<a a=", "<a a='", '<a a="', "</", "</a ", "<![CDATA[", "<?", "&",
        "&#", "<script>", "<script></", "<a/", "<input ", "<input a ", "<input name=_csrf value=''>",
        "<template>", "<a a='' ", "<!-- --", "<title></titl", "\x00", "<a\n", "<a a = ",
    ],
)  # fmt: skip
def test_a_mebibyte_of_anything_is_parsed_quickly(piece: str) -> None:
    """Parsing is fast, since it blocks the event loop: html.parser needs hours for some of these."""
    page = (piece * (2**20 // len(piece) + 1)).encode()
    began = time.process_time()

    assert find_csrf(page) is None
    assert time.process_time() - began < 10


@settings(deadline=None)
@given(st.binary() | st.text(alphabet="<>!-/ ='\"&#;a_csrfinputvaluenametemplate").map(str.encode))
def test_any_page_has_a_field_or_none(page: bytes) -> None:
    """Any page gives a bounded, non-empty value or none."""
    found = find_csrf(page)

    assert found is None or 1 <= len(found) <= 4096


@pytest.mark.parametrize(
    ("page", "offered"),
    [
        ("", ()),
        (FIELD, ()),
        (
            (
                '<select name=resource><option value="resource.homey.a1">Home</option>'
                "<option selected value=resource.homey.b2>Hut</option></select>"
            ),
            ("a1", "b2"),
        ),
        ('<input type=radio name="resource" value="resource.homey.a1">', ("a1",)),
        ('<input value="resource.homey.a1"><input value="resource.homey.a1">', ("a1",)),
        ('<!-- <input value="resource.homey.a1"> -->', ()),
        ("<template><option value=resource.homey.a1></template>", ()),
        ('<option value="resource.homey.">', ()),
        ('<option value="resource.homey.a/b">', ()),
        (f'<option value="resource.homey.{"a" * 37}">', ()),
        ('<option value="xresource.homey.a1">', ()),
        ('<a href="resource.homey.a1">', ()),
    ],
)
def test_the_offered_homeys_are_returned(page: str, offered: tuple[str, ...]) -> None:
    """The Homeys to choose from are returned once each, in order."""
    assert offered == find_offered_homeys(page.encode())


def test_at_most_a_hundred_homeys_are_returned() -> None:
    """At most a hundred Homeys are returned."""
    page = "".join(f'<option value="resource.homey.{number}">' for number in range(5000))

    assert 100 == len(find_offered_homeys(page.encode()))
