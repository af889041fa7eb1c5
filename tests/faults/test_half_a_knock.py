"""A caller that is vetted and never comes in does not leave the callee engaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from landline_protocol.invite import Invite
from landline_protocol.limits import DIAL_S
from tests.peer.raw import Raw
from tests.peer.stage import PASSWORD
from tests.support.proxy import Proxy, Way
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.peer.stage import Stage


@pytest.mark.slow
def test_a_callee_waits_anew_when_whom_it_vetted_has_gone(stage: Stage) -> None:
    carol, mallory = stage.peer("carol"), Raw(stage, "mallory")
    stage.register("bob")

    def state(name: str) -> str:
        return carol.who(name)[0].state

    proxy = stage.resources.enter_context(Proxy(("127.0.0.1", stage.invite.port)))
    bob = stage.stranger("bob", str(Invite("127.0.0.1", proxy.port, stage.invite.key)))
    bob.login("bob", PASSWORD)
    stage.wait(bob)
    claimed = mallory.claim("bob")
    proxy.stall(Way.BACK)
    wire = mallory.dial(claimed)
    wait_until(lambda: state("mallory") == "engaged", "the broker has vetted mallory")
    wire.close()
    proxy.resume()
    assert state("bob") == "engaged"
    wait_until(lambda: state("bob") == "waiting", "bob waits anew", DIAL_S + 5)
