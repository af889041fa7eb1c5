"""What must not be seen: words that nothing else says, and the search for them."""

from __future__ import annotations

from tests.support.spellings import found

CALLER = "quillfeather-of-the-lighthouse"
CALLEE = "bramblewick.under-the-viaduct"
PASSWORD = "Zwölf Boxkämpfer jagen Viktor über den Deich"
MESSAGES = (
    "the heron sleeps behind the third sluice",
    "Grüße an die Schildkröte im Glockenturm",
    "twenty-one marzipan anchors, no more",
)
SECRETS = (CALLER, CALLEE, PASSWORD, *MESSAGES)


def seen_in(capture: bytes) -> dict[str, list[str]]:
    """Return the secrets that stand in the capture, each with its spellings."""
    searched = {secret: found(secret, capture) for secret in SECRETS}
    return {secret: names for secret, names in searched.items() if names}
