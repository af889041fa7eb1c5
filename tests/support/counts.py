"""Prints, when the tests are over, what tests have counted with `record_property("counts", …)`.

Each row: what happened, to whom, when; messages sent, delivered, doubled, out of order.
A test run beside others in worker processes hands its row to the one that prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

HEAD = ("what happened", "to", "when", "sent", "delivered", "lost", "doubled", "out of order")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table as Markdown, in the order of the tests' names."""
    rows = sorted(
        tuple(map(str, value))
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, value in report.user_properties
        if name == "counts" and report.when == "call"
    )
    if not rows:
        return
    terminalreporter.section("messages counted")
    terminalreporter.line(_line(HEAD))
    terminalreporter.line(_line(["---"] * 3 + ["--:"] * 5))
    for *where, sent, delivered, doubled, disordered in rows:
        lost = str(int(sent) - int(delivered))
        terminalreporter.line(_line([*where, sent, delivered, lost, doubled, disordered]))


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"
