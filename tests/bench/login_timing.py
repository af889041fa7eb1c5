"""How long a login fails: with a wrong password, and with a name that nobody has.

Both distributions should lie on each other: whoever measures answers must not learn
who is registered. The two kinds take turns; the throttle counts, as it always does, but
never blocks. Figures are milliseconds.

    python tests/bench/login_timing.py [--rounds 200] [--cost 12] [--database URL]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from landline_broker.address import Listen
from landline_broker.server import Broker
from landline_broker.settings import Settings
from landline_protocol.messages import Login, Problem
from landline_sql.store import Rules
from landline_sql.throttle import Penalty
from tests.broker.device import Device

WRONG = "not the password at all"
NEVER = Penalty(10**9, window=900, first=1, longest=1)


def main() -> None:
    """Print both distributions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--cost", type=int, default=12)
    parser.add_argument("--database")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            Path(folder) / "data",
            Listen("127.0.0.1", 0),
            database=options.database,
            bcrypt_cost=options.cost,
            rules=Rules(account_penalty=NEVER, address_penalty=NEVER),
        )
        with Broker(settings) as broker, Device(broker.invite) as device:
            measure(device, options.rounds)


def measure(device: Device, rounds: int) -> None:
    """Let the two kinds of failure take turns, and print how long each took."""
    device.join("somebody")
    kinds = {"wrong password": "somebody", "unknown name": "nobody"}
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(rounds + 1):
        for kind in sorted(kinds, reverse=bool(number % 2)):
            milliseconds = fail(device, kinds[kind])
            if number:  # the first of each makes its row in the throttle
                took[kind].append(milliseconds)
    for kind, found in took.items():
        print(f"{kind:>14}: {distribution(found)}")


def fail(device: Device, name: str) -> float:
    """Return how long one failed login takes."""
    begin = time.perf_counter()
    answer = device.ask(Login(name, WRONG))
    milliseconds = (time.perf_counter() - begin) * 1000
    assert isinstance(answer, Problem), answer
    assert answer.code == "denied", answer
    return milliseconds


def distribution(found: list[float]) -> str:
    """Return the quantiles, the mean and the spread in one line."""
    cuts = statistics.quantiles(found, n=20)
    low, middle, high = cuts[0], statistics.median(found), cuts[-1]
    mean, spread = statistics.fmean(found), statistics.stdev(found)
    return f"p5 {low:.2f}  p50 {middle:.2f}  p95 {high:.2f}  mean {mean:.2f} ± {spread:.2f} ms"


if __name__ == "__main__":
    main()
