"""What more processes give, and what the machine could give at most."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.measuring import Entry, measure_in_turn
from benchmarks.results import Result, ratio
from benchmarks.text import BenchmarkText
from benchmarks.usage import Usage, least_wall, measure_together


@dataclass(frozen=True)
class Scaling:
    """One program with one process and with more.

    Attributes:
        results: by number of processes, 1 among them.
        together: the runs of each round in which as many one-process runs as the most processes went at a time, none
            knowing of the others.
    """

    results: dict[int, Result]
    together: tuple[tuple[Usage, ...], ...]

    @property
    def most(self) -> int:
        """The largest number of processes."""
        return max(self.results)

    def soonest(self, processes: int) -> Usage | None:
        """The run with so many processes that ended first; none where all failed."""
        runs = self.results[processes].runs
        return least_wall(runs) if runs else None

    def speedup(self, processes: int) -> float | None:
        """How many times sooner than with one process."""
        return ratio(_wall(self.soonest(1)), _wall(self.soonest(processes)))

    @property
    def slowdown(self) -> float | None:
        """How many times longer a one-process run takes while the others go; of the best round."""
        rounds = [fmean(run.wall_seconds for run in runs) for runs in self.together]
        return ratio(min(rounds, default=None), _wall(self.soonest(1)))

    @property
    def limit(self) -> float | None:
        """What the machine gives at most: the work of all those runs, done in their time instead of one's."""
        return ratio(self.most, self.slowdown)

    def to_json(self) -> dict[str, Any]:
        """As `benchmark.json` holds it."""
        return {
            "processes": [
                {"processes": number, "speedup": self.speedup(number), **result.to_json()}
                for number, result in self.results.items()
            ],
            "independent_runs_at_a_time": self.most,
            "independent_runs": [[asdict(run) for run in runs] for runs in self.together],
            "slowdown": self.slowdown,
            "speedup_limit": self.limit,
        }


def measure_scaling(
    contender: Callable[[int], Contender], text: BenchmarkText, processes: Sequence[int], repeats: int, directory: Path
) -> Scaling:
    """Measures a program with several numbers of processes, and beside copies of itself.

    Args:
        contender: the program by number of processes.
        text: what all runs are given.
        processes: the numbers; 1 is always measured.
        repeats: runs of each.
        directory: a new one, for what they write.

    Raises:
        ContenderFailedError: a run beside others failed.
    """
    numbers = sorted({1, *processes})
    entries = [Entry(contender(number), text) for number in numbers]
    results = measure_in_turn(entries, repeats, directory / "processes")
    together = []
    for repeat in range(repeats):
        print(f"  {entries[0].contender.name}, {numbers[-1]} runs at a time", file=sys.stderr)
        together.append(measure_together(entries[0].contender, text, numbers[-1], directory / f"together-{repeat}"))
    return Scaling(dict(zip(numbers, results, strict=True)), tuple(together))


def _wall(usage: Usage | None) -> float | None:
    return usage.wall_seconds if usage else None
