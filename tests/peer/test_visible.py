"""Foreign text: nothing in it acts on a terminal or hides, and it stays readable."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.visible import one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\N{SYMBOL FOR ESCAPE}[31mred"),
        ("\0\x07\t\n\r\x7f", "␀␇␉␊␍␡"),
        ("\x9b2J", "<U+009B>2J"),
        ("a\u202eb\u2066c\u2069", "a<U+202E>b<U+2066>c<U+2069>"),
        ("\u200e\u200f\u061c", "<U+200E><U+200F><U+061C>"),
        ("\u200b\u2060\ufeff\u00ad", "<U+200B><U+2060><U+FEFF><U+00AD>"),
        ("\u2028\u2029\x85", "<U+2028><U+2029><U+0085>"),
        ("\U000e0041\ue000\ufdd0\ud800", "<U+E0041><U+E000><U+FDD0><U+D800>"),
        ("\u3164\u115f\u1160\uffa0\u2800", "<U+3164><U+115F><U+1160><U+FFA0><U+2800>"),
    ],
)
def test_what_acts_or_hides_is_marked(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "",
        "Grüße, naïveté, ångström",
        "e\u0301 a\u0308",
        "שלום مرحبا",
        "नमस्ते 你好 こんにちは",
        "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",
        "می\u200cخواهم",  # noqa: RUF001 - Persian
    ],
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize("text", ["al\u200dice", "\u200calice", "alice\u200d", "\u200d"])
def test_a_joiner_that_joins_nothing_is_marked(text: str) -> None:
    assert "<U+200" in visible(text)


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_that_is_shown_acts(text: str) -> None:
    shown = visible(text)
    assert not any(unicodedata.category(c) in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"} for c in shown)
    assert visible(shown) == shown


def test_every_control_character_has_a_mark() -> None:
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) in {"Cc", "Zl", "Zp"}:
            assert visible(chr(code)) != chr(code)


def test_one_line_stays_one_line() -> None:
    assert one_line("a\nb\r\nc\t") == "a␊b\r␊c\t"
    assert one_line("as it is") == "as it is"
