"""The journal against plain lists: whatever is done in whatever order, nothing is lost or doubled."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from landline.journal import Beginning, Journal
from landline_protocol.frames import Chunk, Text, encode_texts

TEXTS = st.lists(st.text("ab \N{GRINNING FACE}", max_size=4), min_size=1, max_size=4)


class JournalModel(RuleBasedStateMachine):
    """One conversation after the other with one user, and everything that can happen to it."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.journal = Journal(self.folder / "journal")
        self.talks = 0
        self.past: list[tuple[str, bool]] = []  # text, delivered or heard
        self.outbox: list[str] = []
        self.begin()

    def begin(self) -> None:
        self.talks += 1
        self.uuid = self.talks.to_bytes(16)
        self.id = self.journal.begin(Beginning(self.uuid, "bob", b"", True, "", 0, 1))
        self.mine: list[str] = []
        self.heard = self.confirmed = 0
        self.done: list[tuple[str, bool, int]] = []  # text, mine, number

    def chunk(self, first: int, texts: list[str]) -> Chunk:
        return Chunk(first, len(texts), encode_texts([Text(1, text) for text in texts]))

    @rule(texts=TEXTS)
    def say(self, texts: list[str]) -> None:
        chunk = self.chunk(len(self.mine) + 1, texts)
        self.journal.store(self.id, [chunk], [], durable=False, at_ms=1)
        self.done += [(text, True, n) for n, text in enumerate(texts, len(self.mine) + 1)]
        self.mine += texts

    @rule(texts=TEXTS)
    def hear(self, texts: list[str]) -> None:
        chunk = self.chunk(self.heard + 1, texts)
        self.journal.store(self.id, [], [chunk], durable=False, at_ms=1)
        self.heard += len(texts)
        self.done += [(text, False, 0) for text in texts]

    @rule(texts=TEXTS)
    def post(self, texts: list[str]) -> None:
        self.journal.post("bob", [(1, text) for text in texts])
        self.outbox += texts

    @precondition(lambda self: self.outbox)
    @rule(most=st.integers(1, 5))
    def carry(self, most: int) -> None:
        posted = self.journal.posted("bob", most)
        texts = [each.text for each in posted]
        assert texts == self.outbox[:most]
        first = len(self.mine) + 1
        self.journal.store(
            self.id,
            [self.chunk(first, texts)],
            [],
            durable=False,
            posted=[each.id for each in posted],
            at_ms=1,
        )
        del self.outbox[:most]
        self.done += [(text, True, n) for n, text in enumerate(texts, first)]
        self.mine += texts

    @rule(share=st.integers(0, 4))
    def confirm(self, share: int) -> None:
        self.confirmed = max(self.confirmed, len(self.mine) * share // 4)
        self.journal.confirm(self.id, self.confirmed)

    @rule(share=st.integers(0, 4))
    def break_off_and_settle(self, share: int) -> None:
        upto = max(self.confirmed, len(self.mine) * share // 4)
        self.journal.finish(self.id, complete=False)
        assert self.journal.unsettled("bob") == (
            [self.uuid] if len(self.mine) > self.confirmed else []
        )
        self.journal.settle(self.uuid, upto)
        self.outbox[:0] = self.mine[upto:]
        self.past += [(text, True) for text, mine, n in self.done if not mine or n <= upto]
        assert self.journal.heard(self.uuid, "bob", b"") == self.heard
        self.begin()

    @rule()
    def forget(self) -> None:
        left = [each for each in self.done if each[1] and each[2] > self.confirmed]
        assert self.journal.forget() == self.forgettable()
        self.done, self.past = left, []

    def forgettable(self) -> int:
        unconfirmed = sum(mine and n > self.confirmed for _, mine, n in self.done)
        return len(self.past) + len(self.done) - unconfirmed

    @rule(most=st.integers(1, 9))
    def index(self, most: int) -> None:
        self.journal.index(most)

    @invariant()
    def the_history_is_the_lists(self) -> None:
        now = [(text, not mine or n <= self.confirmed) for text, mine, n in self.done]
        expected = self.past + now + [(text, False) for text in self.outbox]
        for other in ("bob", None):
            found = [(each.text, each.delivered) for each in self.journal.history(other)]
            assert found == expected
        pending = sorted(each.text for each in self.journal.pending())
        assert pending == sorted(self.outbox + self.mine[self.confirmed :])

    @rule(word=st.sampled_from(["a", "ab", "b", "aa"]))
    def search(self, word: str) -> None:
        texts = [each.text for each in self.journal.history()]
        found = [each.text for each in self.journal.history(search=word)]
        split = [text.replace("\N{GRINNING FACE}", " ").split() for text in texts]
        assert found == [text for text, words in zip(texts, split, strict=True) if word in words]

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.folder)


TestJournalModel = JournalModel.TestCase
TestJournalModel.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
