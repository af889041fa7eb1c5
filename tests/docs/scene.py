"""Machines of a network, for the pages' examples: a home directory each, on this machine.

What stands in the pages is run as it stands there. Only the broker's address is another
one, and it hashes passwords as quickly as bcrypt allows; both by environment variables.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.children import Child, Children

PASSWORD = "correct horse battery"
INVITE = re.compile(r"landline://[^'\"\s]*")
BROKER_SETTINGS = {
    "LANDLINE_BROKER_SERVE_LISTEN": "tcp://127.0.0.1:0",
    "LANDLINE_BROKER_SERVE_BCRYPT_COST": "4",
}


@dataclass
class Scene:
    """The processes of one test, and where they live."""

    children: Children
    path: Path
    invite: str = field(default="", init=False)

    def settings(self, machine: str) -> dict[str, str]:
        """Return the environment of a machine: its home, and the commands on the PATH."""
        home = self.path / "machines" / machine
        home.mkdir(parents=True, exist_ok=True)
        commands = Path(sys.executable).parent
        return {"HOME": str(home), "PATH": f"{commands}:/usr/bin:/bin"}

    def shell(self, machine: str, line: str, env: dict[str, str] | None = None) -> Child:
        """Start a line of shell, with the invite of this scene in place of the page's."""
        argv = ["/bin/sh", "-c", self.adapted(line)]
        return self.children.start_program(argv, env={**self.settings(machine), **(env or {})})

    def adapted(self, line: str) -> str:
        return INVITE.sub(self.invite, line) if self.invite else line

    def serve(
        self, line: str = "landline-broker serve", env: dict[str, str] | None = None
    ) -> Child:
        """Start the broker, and note its invite."""
        broker = self.shell("broker", f"exec {line}", env={**BROKER_SETTINGS, **(env or {})})
        self.invite = broker.expect_line(r"^ready (landline://\S+)$")[1]
        return broker

    def run(self, machine: str, *argv: str, env: dict[str, str] | None = None) -> Child:
        """Run an installed command to its end, which is status 0."""
        settings = {**self.settings(machine), "LANDLINE_PASSWORD": PASSWORD, **(env or {})}
        child = self.children.start(*argv, env=settings)
        child.close_stdin()
        assert child.wait() == 0, child.transcript()
        return child
