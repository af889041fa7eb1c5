"""A password fits its own hash alone, all of it counts, and nobody costs as much as somebody."""

from __future__ import annotations

import bcrypt
import pytest

from landline_broker.passwords import Passwords

LONG = b"x" * 72


def test_only_the_password_that_was_hashed_fits() -> None:
    passwords = Passwords(4)
    secret = passwords.hash(b"correct horse")
    assert passwords.check(b"correct horse", secret)
    assert not passwords.check(b"Correct horse", secret)
    assert secret != passwords.hash(b"correct horse")


@pytest.mark.parametrize(
    ("one", "other"),
    [(LONG + b"a", LONG + b"b"), (b"before\0after", b"before\0else"), (b"", b"\0")],
)
def test_octets_that_bcrypt_itself_would_not_see_count(one: bytes, other: bytes) -> None:
    passwords = Passwords(4)
    assert not passwords.check(other, passwords.hash(one))


def test_nobody_has_a_password_but_a_hash_of_the_same_cost() -> None:
    passwords = Passwords(5)
    assert not passwords.check(b"nobody", None)
    assert passwords.nobody.startswith(b"$2b$05$")
    assert len(passwords.nobody) == len(passwords.hash(b"x"))
    assert not bcrypt.checkpw(b"nobody", passwords.nobody)


def test_the_form_of_a_hash_never_changes() -> None:
    # From OpenSSL: dgst -sha256 -hmac landline-password-v1 -binary | base64
    condensed = b"zApN5/4kJc8GanJY0RItUgTgSyHdKYXSuOKiuFyxbhE="
    known = bcrypt.hashpw(condensed, b"$2b$04$" + b"." * 22)
    assert Passwords(4).check(b"correct horse battery", known)


def test_a_hash_of_another_cost_is_dated() -> None:
    assert not Passwords(4).is_dated(Passwords(4).hash(b"x"))
    assert Passwords(5).is_dated(Passwords(4).hash(b"x"))
