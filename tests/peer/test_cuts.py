"""Conversations whose connection is cut: nothing is lost, doubled or out of order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from landline.errors import ConversationBroken, LandlineError, Offline
from landline.events import Delivered, Ended, Message, Reconnected, Reconnecting, SaidBye
from landline.journal import Record
from tests.peer.stage import DEADLINE_S, Pair, broken, events, next_of
from tests.support.proxy import Act, AfterOctets, Proxy, Way
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from landline.conversation import Conversation
    from landline.events import Event
    from tests.peer.stage import Stage


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """The line between a caller and a callee."""
    with Proxy() as proxy:
        yield proxy


def cut(proxy: Proxy) -> None:
    proxy.cut()


def finish(proxy: Proxy) -> None:
    proxy.finish()


def outage(proxy: Proxy, *talks: Conversation) -> None:
    """Let nothing through until `Proxy.admit`, and wait until each has noticed."""
    proxy.refuse()
    for talk in talks:
        next_of(talk, Reconnecting)


def say(talk: Conversation, *texts: str) -> None:
    for text in texts:
        talk.send(text)


def iter_messages(talk: Conversation, count: int) -> Iterator[Message]:
    """Yield so many messages; other events are passed over."""
    for _ in range(count):
        yield next_of(talk, Message)


def part(talk: Conversation) -> list[Event]:
    """Say bye, and return everything that still happens."""
    talk.bye()
    return events(talk)


def texts_of(happened: list[Event]) -> list[str]:
    return [event.text for event in happened if isinstance(event, Message)]


def part_both(stage: Stage, pair: Pair) -> tuple[list[Event], list[Event]]:
    """Let both say bye; both end well."""
    parting = stage.spawn(part, pair.bob)
    alice = part(pair.alice)
    bob = parting.result(DEADLINE_S)
    assert isinstance(alice[-1], Ended)
    assert isinstance(bob[-1], Ended)
    return alice, bob


def records(stage: Stage, name: str, other: str) -> list[Record]:
    return list(stage.peers[name].history(other))


@pytest.mark.parametrize("cut", [cut, finish])
def test_a_conversation_goes_on_after_a_cut(
    stage: Stage, proxy: Proxy, cut: Callable[[Proxy], None]
) -> None:
    pair = stage.talk(proxy)
    for n in range(3):
        pair.alice.send(f"alice {n}")
        pair.bob.send(f"bob {n}")
        assert next_of(pair.bob, Message).text == f"alice {n}"
        assert next_of(pair.alice, Message).text == f"bob {n}"
        cut(proxy)
        for talk, other in ((pair.alice, "bob"), (pair.bob, "alice")):
            assert next_of(talk, Reconnecting).name == other
            assert next_of(talk, Reconnected).name == other
    alice, bob = part_both(stage, pair)
    assert alice[-1] == bob[-1] == Ended(said=3, heard=3)


def test_what_is_said_in_an_outage_arrives_once_and_in_order(stage: Stage, proxy: Proxy) -> None:
    pair = stage.talk(proxy)
    outage(proxy, pair.alice, pair.bob)
    texts = [f"{n}" for n in range(500)]
    say(pair.alice, *texts)
    say(pair.bob, *texts)
    proxy.admit()
    alice, bob = part_both(stage, pair)
    assert texts_of(alice) == texts_of(bob) == texts
    assert alice[-1] == bob[-1] == Ended(said=500, heard=500)
    for name, other in (("alice", "bob"), ("bob", "alice")):
        kept = records(stage, name, other)
        assert [record.text for record in kept if record.mine] == texts
        assert all(record.delivered for record in kept)


@pytest.mark.parametrize("act", [Act.FIN, Act.RST])
def test_cuts_in_the_middle_of_much_traffic_lose_and_double_nothing(
    stage: Stage, proxy: Proxy, act: Act
) -> None:
    pair = stage.talk(proxy)
    texts = [f"{n} " + "x" * 500 for n in range(2_000)]
    first = AfterOctets(act, Way.THERE, 200_000)
    proxy.set(first)

    def talk(mine: Conversation, way: Way) -> list[str]:
        saying = stage.spawn(say, mine, *texts)
        heard = []
        for message in iter_messages(mine, len(texts)):
            heard.append(message.text)
            if len(heard) % 250 == 0 and first.sprung.is_set():
                proxy.set(AfterOctets(act, way, 20_000))
        saying.result(DEADLINE_S)
        mine.bye()
        events(mine)
        return heard

    talking = [
        stage.spawn(talk, pair.alice, Way.THERE),
        stage.spawn(talk, pair.bob, Way.BACK),
    ]
    for each in talking:
        assert each.result(3 * DEADLINE_S) == texts
    assert proxy.accepted >= 2
    for name, other in (("alice", "bob"), ("bob", "alice")):
        kept = records(stage, name, other)
        assert [record.text for record in kept if record.mine] == texts
        assert [record.text for record in kept if not record.mine] == texts


@pytest.mark.parametrize("act", [Act.FIN, Act.RST])
@pytest.mark.parametrize("way", list(Way))
@pytest.mark.parametrize("count", [0, 90, 400, 1_100])
def test_a_cut_anywhere_in_a_frame_and_after_a_redial_is_overcome(
    stage: Stage, proxy: Proxy, act: Act, way: Way, count: int
) -> None:
    """The trap is set in an outage: it springs in the handshake, the greeting, or later."""
    pair = stage.talk(proxy)
    outage(proxy, pair.alice, pair.bob)
    texts = [f"{n}" for n in range(200)]
    trap = AfterOctets(act, way, count)
    proxy.set(trap)
    proxy.admit()
    say(pair.alice, *texts)
    say(pair.bob, *texts)
    assert trap.sprung.wait(DEADLINE_S)
    alice, bob = part_both(stage, pair)
    assert texts_of(alice) == texts_of(bob) == texts


@pytest.mark.parametrize("act", [Act.FIN, Act.RST])
def test_a_call_that_is_cut_while_it_rings_rings_again(
    stage: Stage, proxy: Proxy, act: Act
) -> None:
    waiting = stage.wait(stage.peer("bob"))
    stage.lead_through(proxy, waiting)
    calls = iter(waiting)
    calling = stage.call(stage.peer("alice"), "bob", once=True)
    first = next(calls)
    proxy.cut() if act is Act.RST else proxy.finish()
    wait_until(lambda: first.ended, "the first ringing has ended")
    with pytest.raises(Offline):
        first.accept()
    bob = next(calls).accept()
    alice = calling.result(DEADLINE_S)
    alice.send("at last")
    assert next_of(bob, Message).text == "at last"
    bob.hang_up()


@pytest.mark.parametrize("speaker", [0, 1])
@pytest.mark.parametrize("cut", [cut, finish])
def test_byes_get_over_cuts(
    stage: Stage, proxy: Proxy, speaker: int, cut: Callable[[Proxy], None]
) -> None:
    pair = stage.talk(proxy)
    first, second = (pair.alice, pair.bob)[:: -1 if speaker else 1]
    first.send("the last word")
    first.bye()
    cut(proxy)
    next_of(second, SaidBye)
    cut(proxy)
    second.bye()
    cut(proxy)
    both = [stage.spawn(events, first), stage.spawn(events, second)]
    ends = [each.result(DEADLINE_S)[-1] for each in both]
    assert ends == [Ended(said=1, heard=0), Ended(said=0, heard=1)]


def test_byes_of_an_outage_end_the_conversation_after_it(stage: Stage, proxy: Proxy) -> None:
    pair = stage.talk(proxy)
    outage(proxy, pair.alice, pair.bob)
    pair.alice.bye()
    pair.bob.bye()
    proxy.admit()
    part_both(stage, pair)


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True], ids=["before", "in-it"])
def test_whoever_has_heard_the_others_bye_waits_only_a_little(
    stage: Stage, proxy: Proxy, late: bool
) -> None:
    """Bob has heard and said all: he seeks no connection for long, and has ended well."""
    pair = stage.talk(proxy)
    pair.alice.bye()
    next_of(pair.bob, SaidBye)
    if late:
        outage(proxy, pair.bob)
        pair.bob.bye()
    else:
        proxy.stall(Way.THERE)
        pair.bob.bye()
        next_of(pair.alice, SaidBye)
        proxy.refuse()
    assert events(pair.bob)[-1] == Ended(said=0, heard=0)
    pair.alice.hang_up()


def test_a_conversation_needs_no_broker_to_go_on(stage: Stage, proxy: Proxy) -> None:
    pair = stage.talk(proxy)
    stage.stop_broker()
    proxy.cut()
    pair.alice.send("without")
    assert next_of(pair.bob, Message).text == "without"
    part_both(stage, pair)


@pytest.mark.slow
def test_a_line_that_carries_nothing_any_more_is_replaced(stage: Stage, proxy: Proxy) -> None:
    """The heartbeat tells after HEARTBEAT_TIMEOUT_MS."""
    pair = stage.talk(proxy)
    proxy.stall()
    pair.alice.send("slowly")
    next_of(pair.alice, Reconnecting)
    next_of(pair.bob, Reconnecting)
    proxy.cut()
    proxy.resume()
    assert next_of(pair.bob, Message).text == "slowly"
    part_both(stage, pair)


def test_a_short_stall_is_no_outage(stage: Stage, proxy: Proxy) -> None:
    pair = stage.talk(proxy)
    proxy.stall()
    say(pair.alice, "one", "two")
    assert pair.bob.next_event(0.2) is None
    proxy.resume()
    assert texts_of([next_of(pair.bob, Message), next_of(pair.bob, Message)]) == ["one", "two"]
    alice, bob = part_both(stage, pair)
    assert not [event for event in alice + bob if isinstance(event, Reconnecting)]
    assert proxy.accepted == 1


def test_a_flipped_bit_is_as_good_as_a_cut(stage: Stage, proxy: Proxy) -> None:
    """What does not decrypt ends the connection, and what it carried is sent again."""
    pair = stage.talk(proxy)
    proxy.corrupt(Way.BACK, 30)
    texts = [f"{n}" for n in range(100)]
    say(pair.bob, *texts)
    alice, _ = part_both(stage, pair)
    assert texts_of(alice) == texts
    assert proxy.accepted >= 2


def test_redialling_ends_after_its_time_and_says_what_is_not_confirmed(
    stage: Stage, proxy: Proxy
) -> None:
    stage.redial_s = 0.5
    pair = stage.talk(proxy)
    pair.alice.send("one")
    while next_of(pair.alice, Delivered).upto < 1:
        pass
    proxy.refuse()
    next_of(pair.alice, Reconnecting)
    say(pair.alice, "two", "three")
    error = broken(pair.alice)
    assert isinstance(error, ConversationBroken)
    assert (error.unconfirmed, error.exit_status) == (2, 7)
    assert "2 messages were not confirmed; what is not delivered is kept" in str(error)
    other = broken(pair.bob)
    assert isinstance(other, ConversationBroken)
    assert other.unconfirmed == 0


def test_who_hangs_up_in_an_outage_does_not_wait_for_its_end(stage: Stage, proxy: Proxy) -> None:
    stage.redial_s = 1.0
    pair = stage.talk(proxy)
    pair.bob.send("unheard")
    outage(proxy, pair.alice, pair.bob)
    pair.alice.hang_up()
    pair.bob.hang_up()
    for talk in (pair.alice, pair.bob):
        with pytest.raises(LandlineError):
            talk.send("too late")


def test_hanging_up_is_told_and_nobody_seeks_another_connection(stage: Stage, proxy: Proxy) -> None:
    pair = stage.talk(proxy)
    pair.alice.send("one")
    next_of(pair.bob, Message)
    pair.bob.hang_up()
    error = broken(pair.alice)
    assert isinstance(error, ConversationBroken)
    assert "the other side hung up" in str(error)
    assert proxy.accepted == 1


def test_the_next_caller_comes_through_after_a_conversation_that_was_cut(
    stage: Stage, proxy: Proxy
) -> None:
    pair = stage.talk(proxy)
    proxy.cut()
    part_both(stage, pair)
    coming = stage.spawn(lambda: next(pair.calls).accept())
    carol = stage.call(stage.peer("carol"), "bob").result(DEADLINE_S)
    carol.send("my turn")
    assert next_of(coming.result(DEADLINE_S), Message).text == "my turn"
    coming.result().hang_up()
