"""User names and passwords: what is one, and how it is spelled."""

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline_protocol.limits import NAME_MAX, NAME_MIN, PASSWORD_MAX, PASSWORD_MIN
from landline_protocol.names import (
    InvalidName,
    InvalidPassword,
    canonical_name,
    canonical_password,
)

LETTERS = string.ascii_lowercase
OTHERS = LETTERS + string.digits + "._-"
ANY = st.characters(exclude_categories=())  # surrogates, too


@given(
    st.sampled_from(LETTERS),
    st.text(OTHERS, min_size=NAME_MIN - 1, max_size=NAME_MAX - 1),
)
def test_a_name_is_its_own_normal_form_and_capitals_are_the_same_name(
    first: str, rest: str
) -> None:
    name = first + rest
    assert canonical_name(name) == name
    assert canonical_name(name.upper()) == name


@given(st.text(ANY, max_size=40))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        name = canonical_name(text)
    except InvalidName:
        return
    assert name == text.lower()
    assert NAME_MIN <= len(name) <= NAME_MAX
    assert name[0] in LETTERS
    assert set(name) <= set(OTHERS)


@pytest.mark.parametrize("text", ["", "a", "a" * (NAME_MAX + 1), "1ab", "a b", "ab\n", "Kaé"])
def test_what_is_no_name_is_refused_in_words(text: str) -> None:
    with pytest.raises(InvalidName, match="2 to 32 characters"):
        canonical_name(text)


def test_letters_that_only_become_ascii_in_lower_case_are_no_letters() -> None:
    assert "\N{KELVIN SIGN}".lower() == "k"
    with pytest.raises(InvalidName):
        canonical_name("\N{KELVIN SIGN}ate")


@given(st.text(ANY, max_size=300))
def test_any_text_is_a_password_or_refused(text: str) -> None:
    try:
        octets = canonical_password(text)
    except InvalidPassword:
        return
    normal = octets.decode()
    assert normal == unicodedata.normalize("NFC", text)
    assert PASSWORD_MIN <= len(normal) <= PASSWORD_MAX


@given(st.text(min_size=8, max_size=60))
def test_every_spelling_of_a_password_is_the_same_password(text: str) -> None:
    decomposed, composed = unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text)
    try:
        octets = canonical_password(composed)
    except InvalidPassword:
        with pytest.raises(InvalidPassword):
            canonical_password(decomposed)
        return
    assert canonical_password(decomposed) == octets


@pytest.mark.parametrize("text", ["p" * (PASSWORD_MIN - 1), "p" * (PASSWORD_MAX + 1)])
def test_a_password_has_its_length(text: str) -> None:
    with pytest.raises(InvalidPassword, match="8 to 256 characters"):
        canonical_password(text)


def test_the_length_is_that_of_the_normal_form() -> None:
    with pytest.raises(InvalidPassword):
        canonical_password("a\N{COMBINING DIAERESIS}" * (PASSWORD_MIN - 1))
    canonical_password("a\N{COMBINING DIAERESIS}" * PASSWORD_MAX)


def test_a_surrogate_is_no_text() -> None:
    with pytest.raises(InvalidPassword, match="Unicode") as caught:
        canonical_password("secret \ud800 secret")
    assert "secret" not in str(caught.value)
