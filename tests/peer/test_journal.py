"""The journal: what is stored comes back, what waits is kept, what is forgotten is gone."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from landline.errors import JournalUnusable
from landline.journal import Beginning, Journal, Pending, Posted, Progress, Record
from landline_protocol.frames import Bye, Chunk, Text, encode_item, encode_texts
from tests.peer.disk import fill, forbid_writing, mounted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE, TWO, THREE = (bytes((n,)) * 16 for n in (1, 2, 3))
KEY = b"k" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with closing(Journal(path)) as journal:
        yield journal


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the test's own."""
    with mounted(tmp_path / "disk", 2_097_152) as path:
        yield path


def begin(journal: Journal, uuid: bytes = ONE, other: str = "bob", at_ms: int = 5) -> int:
    return journal.begin(Beginning(uuid, other, KEY, True, "10.0.0.1", 20_000, at_ms))


def chunk(first: int, *texts: str, at: int = 7) -> Chunk:
    return Chunk(first, len(texts), encode_texts([Text(at, text) for text in texts]))


def bye(number: int) -> Chunk:
    return Chunk(number, 1, encode_item(Bye(9, b"s" * 32, 0, b"h" * 32)))


def store(
    journal: Journal, talk: int, mine: list[Chunk], heard: list[Chunk], at_ms: int = 8
) -> None:
    journal.store(talk, mine, heard, durable=False, at_ms=at_ms)


def said(journal: Journal, **wanted: object) -> list[str]:
    return [record.text for record in journal.history(**wanted)]  # type: ignore[arg-type]


def octets_of(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(path.parent.glob(path.name + "*")))


# -- conversations ----------------------------------------------------------------


def test_what_was_stored_comes_back_in_its_order(journal: Journal, path: Path) -> None:
    """Whatever the direction, and however many texts a chunk has."""
    talk = begin(journal)
    store(journal, talk, [chunk(1, "a\0b", "")], [])
    store(journal, talk, [], [chunk(1, "\N{GRINNING FACE}")])
    store(journal, talk, [chunk(3, "c")], [])
    journal.confirm(talk, 1)
    with closing(Journal(path)) as again:
        assert list(again.history("bob")) == [
            Record("bob", True, 1, 7, "a\0b", True),
            Record("bob", True, 2, 7, "", False),
            Record("bob", False, 1, 7, "\N{GRINNING FACE}", True),
            Record("bob", True, 3, 7, "c", False),
        ]
        assert list(again.history()) == list(again.history("bob"))
        assert list(again.history("carol")) == []


def test_a_conversation_can_be_taken_up_again(journal: Journal, path: Path) -> None:
    """All that an end needs for that is there, octet for octet."""
    talk = begin(journal)
    chunks = [chunk(n, f"{n}") for n in range(1, 151)]
    store(journal, talk, chunks, [chunk(1, "x", "y")], at_ms=50)
    journal.confirm(talk, 7)
    journal.moved(talk, "10.0.0.2", 20_001)
    with closing(Journal(path)) as again:
        kept = again.find(ONE)
        assert kept is not None
        assert kept == (
            talk, ONE, "bob", KEY, True, "10.0.0.2", 20_001, 5, 50, 7, 2, Progress.IN_PROGRESS,
        )  # fmt: skip
        assert list(again.chunks(talk, mine=True)) == chunks
        assert list(again.chunks(talk, mine=False)) == [chunk(1, "x", "y")]
        assert again.in_progress() == again.in_progress("bob") == [kept]
        assert again.in_progress("carol") == []


def test_it_knows_which_conversations_there_were(journal: Journal) -> None:
    """By their ids, and nothing else."""
    assert journal.find(ONE) is None
    begin(journal)
    assert journal.find(ONE) is not None


def test_what_no_search_would_find_yet_is_counted(journal: Journal) -> None:
    assert journal.unsearchable() == 0
    talk = begin(journal)
    journal.store(talk, [chunk(1, "one", "two")], [chunk(1, "three")], durable=False, at_ms=5)
    assert journal.unsearchable() == 3
    assert [each.text for each in journal.history(search="two")] == ["two"]
    assert journal.unsearchable() == 0


def test_a_new_conversation_ends_the_others_with_that_user(journal: Journal) -> None:
    """Of two in progress with one user, no side would know which to resume."""
    begin(journal, ONE)
    begin(journal, TWO, "carol")
    begin(journal, THREE)
    assert [each.uuid for each in journal.in_progress()] == [THREE, TWO]
    found = journal.find(ONE)
    assert found is not None
    assert found.state is Progress.OVER


@pytest.mark.parametrize("complete", [True, False])
def test_how_a_conversation_ended_is_kept(journal: Journal, complete: bool) -> None:
    """Finished when both have said bye, else over."""
    journal.finish(begin(journal), complete)
    found = journal.find(ONE)
    assert found is not None
    assert found.state is (Progress.FINISHED if complete else Progress.OVER)
    assert journal.in_progress() == []


def test_what_came_to_a_good_end_stays_so(journal: Journal) -> None:
    """Whoever resumes it once more and then breaks it off takes nothing back."""
    talk = begin(journal)
    journal.finish(talk, complete=True)
    journal.finish(talk, complete=False)
    found = journal.find(ONE)
    assert found is not None
    assert found.state is Progress.FINISHED


def test_what_is_confirmed_stays_confirmed(journal: Journal) -> None:
    """A smaller number that comes later changes nothing."""
    talk = begin(journal)
    journal.confirm(talk, 5)
    journal.confirm(talk, 3)
    found = journal.find(ONE)
    assert found is not None
    assert found.confirmed == 5


def test_what_is_stored_is_synced_though_no_descriptor_is_left(path: Path) -> None:
    """Also for the first time."""
    program = f"""if True:
        import os, resource
        from pathlib import Path
        from landline.journal import Journal
        journal = Journal(Path({str(path)!r}))
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        journal.sync()
        print("synced")
    """
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, timeout=30
    )
    assert done.stdout == b"synced\n", done.stderr


def test_all_is_stored_or_nothing(journal: Journal) -> None:
    """A chunk that does not fit takes those beside it, and the outbox, back with it."""
    talk = begin(journal)
    journal.post("bob", [(1, "waits")])
    (waits,) = journal.posted("bob", 9)
    with pytest.raises(JournalUnusable, match="cannot use the journal"):
        journal.store(
            talk,
            [chunk(1, "one"), chunk(1, "again")],
            [],
            durable=False,
            posted=[waits.id],
            at_ms=1,
        )
    assert said(journal) == ["waits"]
    store(journal, talk, [chunk(1, "one")], [])


def test_only_what_is_durable_reaches_the_disk_at_once(path: Path, tmp_path: Path) -> None:
    """The system calls say so: a commit that an acknowledgement follows is synced."""
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys; from pathlib import Path; from landline.journal import *\n"
        "from landline_protocol.frames import *\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "talk = journal.begin(Beginning(b'1' * 16, 'bob', b'k' * 32, True, 'h', 1, 1))\n"
        "for number in range(1, 41):\n"
        "    chunk = Chunk(number, 1, encode_texts([Text(1, 'x')]))\n"
        "    os.write(1, b'durable' if number % 2 else b'normal')\n"
        "    journal.store(talk, [chunk], [], durable=bool(number % 2), at_ms=1)\n"
        "    os.write(1, b'stored')\n"
    )
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-e", "trace=fsync,fdatasync,write", "-o", str(trace)]
    try:
        subprocess.run(
            [*command, sys.executable, str(script), str(path)],
            check=True,
            capture_output=True,
            timeout=30,
        )
    except FileNotFoundError:
        pytest.skip("needs strace")
    synced: dict[str, list[int]] = {"durable": [], "normal": []}
    kind = ""
    for line in trace.read_text().splitlines():
        for word in synced:
            if f'"{word}"' in line:
                kind = word
                synced[kind].append(0)
        kind = "" if '"stored"' in line else kind
        if kind and "sync(" in line:
            synced[kind][-1] += 1
    assert len(synced["durable"]) == len(synced["normal"]) == 20
    assert min(synced["durable"]) >= 1
    assert max(synced["normal"]) == 0


# -- settling and the outbox --------------------------------------------------------


def test_what_was_not_confirmed_is_said_again_first(journal: Journal) -> None:
    """Before what was posted, the oldest conversation's texts first."""
    first = begin(journal, ONE)
    store(journal, first, [chunk(1, "a", "b", "c"), bye(4)], [])
    journal.confirm(first, 1)
    second = begin(journal, TWO)
    store(journal, second, [chunk(1, "d")], [])
    begin(journal, THREE)
    journal.post("bob", [(9, "e")])
    assert list(journal.pending("bob")) == [
        *(Pending("bob", 7, text) for text in "bcd"),
        Pending("bob", 9, "e"),
    ]
    assert journal.unsettled("bob") == [TWO, ONE]
    journal.settle(TWO, 0)
    journal.settle(ONE, 2)
    assert [each[1:] for each in journal.posted("bob", 9)] == [(7, "c"), (7, "d"), (9, "e")]
    assert journal.unsettled("bob") == []
    assert said(journal, search="b") == ["b"]
    assert said(journal, search="c") == ["c"]
    journal.settle(ONE, 0)
    journal.settle(b"?" * 16, 3)
    assert said(journal) == ["a", "b", "c", "d", "e"]


def test_a_bye_alone_needs_no_settling(journal: Journal) -> None:
    """There is nothing in it to say again."""
    talk = begin(journal)
    store(journal, talk, [chunk(1, "a"), bye(2)], [])
    journal.confirm(talk, 1)
    journal.finish(talk, False)
    assert journal.unsettled("bob") == []
    assert journal.addressees() == []
    assert list(journal.pending()) == []


def test_what_is_said_leaves_the_outbox_with_it(journal: Journal) -> None:
    """In one step, so that no text is there twice or never."""
    journal.post("bob", ((n, f"{n}") for n in range(3)))
    journal.post("carol", [(1, "other")])
    one, two, three = journal.posted("bob", 9)
    assert journal.posted("bob", 1) == [one]
    assert (one, two.text) == (Posted(one.id, 0, "0"), "1")
    talk = begin(journal)
    journal.store(talk, [chunk(1, "0", "1")], [], durable=False, posted=[one.id, two.id], at_ms=1)
    assert journal.posted("bob", 9) == [three]
    assert journal.addressees() == ["bob", "carol"]
    assert [each.text for each in journal.pending()] == ["2", "other", "0", "1"]


def test_a_question_about_a_conversation_ends_it(journal: Journal) -> None:
    """Whoever asks what was heard will not resume; strangers are told nothing."""
    talk = begin(journal)
    store(journal, talk, [], [chunk(1, "a", "b")])
    assert journal.heard(ONE, "carol", KEY) == 0
    assert journal.heard(ONE, "bob", b"?" * 32) == 0
    assert journal.heard(TWO, "bob", KEY) == 0
    assert journal.in_progress() != []
    assert journal.heard(ONE, "bob", KEY) == 2
    assert journal.in_progress() == []
    assert journal.heard(ONE, "bob", KEY) == 2


def test_two_programs_write_in_turn(journal: Journal, path: Path) -> None:
    """One posts while the other talks."""
    talk = begin(journal)
    with closing(Journal(path)) as other:
        for number in range(1, 20):
            store(journal, talk, [chunk(number, "x")], [])
            other.post("bob", [(1, "y")])
    assert len(said(journal)) == 38


def test_many_programs_make_one_journal_at_once(path: Path) -> None:
    """The first makes it, the others take it as it is."""
    script = (
        "import sys; from pathlib import Path; from landline.journal import Journal\n"
        "sys.stdin.readline(); Journal(Path(sys.argv[1])).close()"
    )
    command = [sys.executable, "-c", script, str(path)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(4)]
    for each in started:
        assert each.stdin is not None
        each.stdin.close()
    assert [each.wait(30) for each in started] == [0] * 4


# -- searching ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["Hello, world", "hello caf\xe9", 'NEAR("x")', "smile \N{GRINNING FACE}", "hel"]),
        ("hello", ["Hello, world", "hello caf\xe9"]),
        ("WORLD hello", ["Hello, world"]),
        ("hel*", ["Hello, world", "hello caf\xe9", "hel"]),
        ("cafe", ["hello caf\xe9"]),
        ("\N{GRINNING FACE}", ["smile \N{GRINNING FACE}"]),
        ("smile \N{GRINNING FACE}", ["smile \N{GRINNING FACE}"]),
        ("hello \N{GRINNING FACE}", []),
        ('NEAR("x")', ['NEAR("x")']),
        ("nothing", []),
        ("world hel*", ["Hello, world"]),
        ("he\0llo", []),
        ("\ud800 hello", []),
    ],
)
def test_every_word_must_occur(journal: Journal, search: str, found: list[str]) -> None:
    """Words, beginnings of words and signs; what waits is searched by the same rules."""
    texts = ["Hello, world", "hello caf\xe9", 'NEAR("x")', "smile \N{GRINNING FACE}", "hel"]
    store(journal, begin(journal), [], [chunk(1, *texts[:3]), chunk(4, *texts[3:])])
    journal.post("bob", [(1, text) for text in texts])
    assert said(journal, search=search) == found * 2
    assert said(journal, other="bob", search=search) == found * 2
    assert said(journal, other="carol", search=search) == []


@pytest.mark.parametrize(
    "search", ['"', "a AND", "(", "*", "col:x", "^a", "a NOT b", "-", "a OR *"]
)
def test_nothing_that_is_typed_is_an_error(journal: Journal, search: str) -> None:
    """Whatever the words mean to the index, they are only words."""
    store(journal, begin(journal), [], [chunk(1, "something")])
    journal.post("bob", [(1, "other")])
    assert said(journal, search=search) in ([], ["something", "other"])


def test_the_index_is_written_in_portions(journal: Journal) -> None:
    """And says when it is complete; a search does what is left."""
    store(journal, begin(journal), [chunk(n, f"word{n}") for n in range(1, 6)], [])
    assert journal.index(2)
    assert journal.index(2)
    assert said(journal, search="word5") == ["word5"]
    assert not journal.index(2)
    assert said(journal, search="word*") == [f"word{n}" for n in range(1, 6)]


def test_a_long_history_comes_in_its_order(journal: Journal) -> None:
    """Beyond one page of chunks, of hits, and of what waits."""
    talk = begin(journal)
    for number in range(1, 401):
        store(journal, talk, [chunk(number, f"mine {number}")], [chunk(number, f"its {number}")])
    journal.post("bob", ((n, f"mine {n}") for n in range(401, 1_201)))
    mine = [f"mine {n}" for n in range(1, 1_201)]
    assert said(journal, search="mine") == mine
    assert [text for text in said(journal) if text in set(mine)] == mine
    assert said(journal) == said(journal, other="bob")
    assert said(journal, since_ms=7)[-801:] == said(journal)[799:800] + mine[400:]


def test_what_was_before_a_time_is_left_out(journal: Journal) -> None:
    """By the clock of whoever wrote it."""
    store(journal, begin(journal), [chunk(1, "old", at=1)], [chunk(1, "new", at=2)])
    journal.post("bob", [(1, "old"), (2, "new")])
    assert said(journal, since_ms=2) == ["new", "new"]


# -- forgetting -----------------------------------------------------------------------


def test_nothing_of_what_is_forgotten_is_left_in_the_files(journal: Journal, path: Path) -> None:
    """Neither the texts nor their words in the index, while others' stay."""
    talk = begin(journal)
    texts = [f"Secretword{n} in a Whisper{n} to bob" for n in range(300)]
    store(journal, talk, [chunk(1, *texts)], [chunk(1, *texts), chunk(301, "Secretlong" * 900)])
    carol = begin(journal, TWO, "carol")
    store(journal, carol, [], [chunk(1, "publicword stays")])
    while journal.index(1):
        pass
    journal.confirm(talk, 300)
    store(journal, carol, [], [chunk(2, "publicword not in the index yet")])
    before = len(octets_of(path))
    assert journal.forget("bob") == 601
    for word in (b"secret", b"whisper"):
        assert word not in octets_of(path).lower()
    assert len(octets_of(path)) < before / 3
    assert said(journal, search="secretword1") == []
    assert len(said(journal, search="publicword")) == 2
    assert said(journal, other="bob") == []
    store(journal, talk, [], [chunk(302, "publicword again")])
    assert len(said(journal, search="publicword")) == 3


def test_much_that_is_forgotten_leaves_no_word_in_the_index(journal: Journal, path: Path) -> None:
    """The index is emptied, and made anew of what is left."""
    talk = begin(journal)
    chunks = [chunk(n, *[f"secretword{n}"] * 4_000) for n in (1, 4_001, 8_001)]
    store(journal, talk, [], chunks)
    store(journal, begin(journal, TWO, "carol"), [], [chunk(1, "publicword")])
    while journal.index(1):
        pass
    assert journal.forget("bob") == 12_000
    assert b"secret" not in octets_of(path)
    assert said(journal, search="secretword1") == []
    assert said(journal, search="publicword") == ["publicword"]


def test_what_is_not_confirmed_is_never_forgotten(journal: Journal, path: Path) -> None:
    """Nor what waits; the numbers stay, even in the middle of a chunk."""
    talk = begin(journal)
    store(journal, talk, [chunk(1, "alpha", "beta"), chunk(3, "gamma")], [chunk(1, "delta")])
    journal.confirm(talk, 1)
    journal.post("bob", [(1, "epsilon")])
    journal.index(9)
    assert journal.forget() == 2
    assert [(each.number, each.text) for each in journal.history()] == [
        (2, "beta"), (3, "gamma"), (None, "epsilon"),
    ]  # fmt: skip
    assert said(journal, search="alpha") == said(journal, search="delta") == []
    assert said(journal, search="beta") == ["beta"]
    assert b"alpha" not in octets_of(path)
    assert journal.heard(ONE, "bob", KEY) == 1
    assert [each.text for each in journal.pending()] == ["epsilon", "beta", "gamma"]
    assert journal.forget() == 0


def test_forgetting_ends_at_a_time(journal: Journal, path: Path) -> None:
    """Within a chunk, too, and whatever the order of its times is."""
    octets = encode_texts([Text(at, f"at{at}") for at in (5, 9, 4, 8)])
    store(journal, begin(journal), [], [Chunk(1, 4, octets)])
    journal.index(9)
    assert journal.forget(before_ms=6) == 2
    assert [(each.number, each.text) for each in journal.history()] == [(2, "at9"), (4, "at8")]
    assert said(journal, search="at*") == ["at9", "at8"]
    assert b"at5" not in octets_of(path)


def test_a_conversation_with_holes_is_not_resumed(journal: Journal, path: Path) -> None:
    talk = begin(journal)
    store(journal, talk, [], [chunk(1, "a")])
    journal.forget()
    with closing(Journal(path)) as other:
        assert other.in_progress() == []
        found = other.find(ONE)
        assert found is not None
        assert (found.state, found.heard, found.active_ms) == (Progress.OVER, 1, 8)
    assert journal.in_progress() == []


def test_only_what_nothing_was_said_in_is_discarded(journal: Journal) -> None:
    """Such a conversation can begin anew."""
    talk = begin(journal)
    journal.discard(talk)
    assert journal.find(ONE) is None
    talk = begin(journal)
    store(journal, talk, [chunk(1, "a")], [])
    journal.discard(talk)
    assert journal.find(ONE) is not None


def test_a_snapshot_shows_nothing_of_what_others_write_meanwhile(
    journal: Journal, path: Path
) -> None:
    talk = begin(journal)
    chunks = [chunk(1, "a"), chunk(2, "b")]
    store(journal, talk, chunks, [chunk(1, "c")])
    journal.confirm(talk, 2)
    with journal.snapshot():
        found = journal.find(ONE)
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("DELETE FROM chunks")
        assert found is not None
        assert journal.find(ONE) == found
        assert list(journal.chunks(talk, mine=True)) == chunks
        assert list(journal.chunks(talk, mine=False)) == [chunk(1, "c")]
    assert list(journal.chunks(talk, mine=True)) == []


def test_what_was_heard_stands_before_what_was_said_in_the_same_stroke(journal: Journal) -> None:
    talk = begin(journal)
    for count in (1, 2, 4):
        first = 1 + sum((1, 2, 4)[: (1, 2, 4).index(count)])
        heard = [chunk(first + each, f"heard {count}") for each in range(count)]
        mine = [chunk(first + each, f"said {count}") for each in range(count)]
        store(journal, talk, mine, heard)
        assert said(journal)[-2 * count :] == [f"heard {count}"] * count + [f"said {count}"] * count


def test_without_a_history_only_what_is_under_way_is_kept(path: Path) -> None:
    """What is delivered goes, how far it was heard stays."""
    with closing(Journal(path, keep_history=False)) as journal:
        talk = begin(journal)
        store(journal, talk, [chunk(1, "alpha"), chunk(2, "beta")], [chunk(1, "gamma")])
        journal.confirm(talk, 1)
        assert not journal.index(9)
        journal.sweep(talk)
        assert said(journal) == ["beta"]
        assert journal.in_progress() == []
        store(journal, talk, [chunk(3, "delta")], [chunk(2, "epsilon")])
        journal.confirm(talk, 3)
        journal.finish(talk, True)
        assert said(journal, search="epsilon") == ["epsilon"]
    with closing(Journal(path)) as journal:
        kept = begin(journal, TWO, "carol")
        store(journal, kept, [], [chunk(1, "zeta")])
        journal.finish(kept, True)
        journal.sweep()
        assert said(journal) == ["zeta"]
        assert journal.heard(ONE, "bob", KEY) == 2
    assert b"alpha" not in octets_of(path)
    assert b"epsilon" not in octets_of(path)


def test_with_a_history_nothing_is_swept(journal: Journal) -> None:
    """That is what it is for."""
    talk = begin(journal)
    store(journal, talk, [], [chunk(1, "a")])
    journal.sweep(talk)
    assert said(journal) == ["a"]


# -- blocked users --------------------------------------------------------------------


def test_blocked_users_are_remembered(journal: Journal, path: Path) -> None:
    """Until they are unblocked."""
    journal.block("mallory")
    journal.block("mallory")
    journal.block("eve")
    with closing(Journal(path)) as again:
        assert again.blocked() == ["eve", "mallory"]
        assert again.is_blocked("eve")
        assert again.unblock("eve")
        assert not again.unblock("eve")
    assert not journal.is_blocked("eve")


# -- the file -------------------------------------------------------------------------


def test_the_file_is_the_owners_alone(journal: Journal, path: Path) -> None:
    """And so are those beside it."""
    begin(journal)
    modes = {stat.S_IMODE(each.stat().st_mode) for each in path.parent.glob(path.name + "*")}
    assert modes == {0o600}


@pytest.mark.parametrize("version", [3, 99, -1])
def test_a_journal_of_the_future_is_left_alone(path: Path, version: int) -> None:
    """It may hold what this version would destroy."""
    Journal(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(JournalUnusable, match="newer Landline; upgrade this one"):
        Journal(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_left_alone(path: Path) -> None:
    """Nothing is made in a file that somebody else uses."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE conversations (x)")
    before = path.read_bytes()
    with pytest.raises(JournalUnusable, match="no journal; move it away"):
        Journal(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("octets", [b"garbage" * 1_000, b"SQLite format 3\0" + b"x" * 5_000])
def test_a_file_that_is_no_journal_is_named(path: Path, octets: bytes) -> None:
    """And kept as it is."""
    path.write_bytes(octets)
    with pytest.raises(JournalUnusable, match=r"cannot use the journal .*move it away"):
        Journal(path)
    assert path.read_bytes() == octets


def test_a_damaged_journal_is_named(path: Path) -> None:
    """When it is opened, or when the damaged page is read."""
    with closing(Journal(path)) as journal:
        store(journal, begin(journal), [], [chunk(n, "x" * 999) for n in range(1, 99)])
    octets = path.read_bytes()
    path.write_bytes(octets[:4_096] + b"\xff" * (len(octets) - 4_096))
    damaged = path.read_bytes()

    def read() -> None:
        with closing(Journal(path)) as journal:
            list(journal.history())

    with pytest.raises(JournalUnusable, match="it is damaged: move it away"):
        read()
    assert path.read_bytes() == damaged


def test_a_damaged_chunk_is_named(journal: Journal, path: Path) -> None:
    """Octets that are no items are an error of the disk, not of the program."""
    store(journal, begin(journal), [], [Chunk(1, 1, b"\xc1")])
    with pytest.raises(JournalUnusable, match="it is damaged"):
        list(journal.history())


def test_a_directory_in_its_place_is_named(path: Path) -> None:
    """It is not replaced."""
    path.mkdir()
    with pytest.raises(JournalUnusable, match="cannot use the journal"):
        Journal(path)


def test_a_journal_that_is_locked_for_long_is_said(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user can end what holds it; nobody waits for ever."""
    monkeypatch.setattr("landline.journal.file.BUSY_MS", 50)
    with closing(Journal(path)) as other, closing(sqlite3.connect(path)) as holder:
        holder.isolation_level = None
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalUnusable, match="another program has had it locked"):
            other.post("bob", [(1, "x")])
        holder.execute("ROLLBACK")
        other.post("bob", [(1, "x")])


def test_what_another_program_still_reads_is_not_called_forgotten(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write-ahead log cannot be emptied under its eyes."""
    monkeypatch.setattr("landline.journal.file.BUSY_MS", 50)
    with closing(Journal(path)) as journal, closing(sqlite3.connect(path)) as reader:
        store(journal, begin(journal), [], [chunk(1, "a")])
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM chunks").fetchall()
        with pytest.raises(JournalUnusable, match="another program reads"):
            journal.forget()


def test_a_read_only_disk_is_said(disk: Path) -> None:
    """Before anything is promised."""
    Journal(disk / "journal").close()
    forbid_writing(disk)
    with pytest.raises(JournalUnusable, match="see to it that you may write it"):
        Journal(disk / "journal")


def test_a_full_disk_is_said(disk: Path) -> None:
    """What was stored before is there, and room makes it work again."""
    with closing(Journal(disk / "journal")) as journal:
        talk = begin(journal)
        store(journal, talk, [chunk(1, "kept")], [])
        fill(disk)

        def store_much() -> None:
            for number in range(2, 99):
                store(journal, talk, [chunk(number, "x" * 50_000)], [])

        with pytest.raises(JournalUnusable, match="make room on its disk"):
            store_much()
        assert said(journal)[0] == "kept"
        number = len(said(journal)) + 1
        (disk / "ballast").unlink()
        store(journal, talk, [chunk(number, "again")], [])
    with closing(Journal(disk / "journal")) as journal:
        assert said(journal)[-1] == "again"
