"""Foreign text made safe to show: nothing that a peer sends acts on a terminal.

Control characters, escape sequences, bidirectional overrides and characters
that cannot be seen become visible marks. The text itself is never changed
where it is stored or passed on.
"""

import unicodedata

_PICTURES = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "␡"}
# Cf: bidirectional controls, zero-width characters, tags. Cs, Co, Cn: no
# meaning that two terminals agree on. Zl, Zp: line ends in disguise.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and symbols that show nothing.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# Without the joiners, emoji of families and some scripts fall apart.
_JOINERS = frozenset("\u200c\u200d")
_JOINED = frozenset({"Lo", "Mn", "Mc", "So", "Sk"})


def visible(text: str) -> str:
    """Return ``text`` with a visible mark for each character that could act or hide."""
    if text.isascii() and text.isprintable():
        return text
    neighbours = zip(" " + text, text, text[1:] + " ", strict=False)
    return "".join(
        each if each in _JOINERS and _joins(before, after) else _mark(each)
        for before, each, after in neighbours
    )


def one_line(text: str) -> str:
    """Return ``text`` with marks for line feeds only, for output that is not a terminal."""
    return text.replace("\n", _PICTURES[0x0A])


def _joins(before: str, after: str) -> bool:
    return unicodedata.category(before) in _JOINED and unicodedata.category(after) in _JOINED


def _mark(character: str) -> str:
    picture = _PICTURES.get(ord(character))
    if picture is not None:
        return picture
    if character not in _BLANK and unicodedata.category(character) not in _HIDDEN:
        return character
    return f"<U+{ord(character):04X}>"
