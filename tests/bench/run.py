"""The figures, measured on this machine, each beside its baseline of the same run.

    python -m tests.bench.run [round-trip] [one-way] [resume] [gibibyte] [million] [start] [help] …

Prints a table. Nothing here passes or fails: a machine that is busy gives
other figures than one that is not.
"""

from __future__ import annotations

import sys
from pathlib import Path

# `python tests/bench/run.py` finds its neighbours, too.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import commands, one_way, resume, round_trip, volume, who_rate

FIGURES = {
    "round-trip": round_trip.main,
    "one-way": one_way.main,
    "resume": resume.main,
    "gibibyte": volume.gibibyte,
    "million": volume.million,
    "start": commands.start,
    "help": commands.help_time,
    "look-ups": who_rate.figures,
    "memory": commands.memory,
}


def main(wanted: list[str]) -> None:
    """Measure what is wanted, everything by default, and print it."""
    print(f"{'figure':<58} {'measured':>16}   wanted")
    for name in wanted or FIGURES:
        for figure, value, limit in FIGURES[name]():
            print(f"{figure:<58} {value:>16}   {limit}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
