"""Contenders measured in turn."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.results import Result, Status
from benchmarks.text import BenchmarkText
from benchmarks.usage import ContenderFailedError, Usage, measure


@dataclass(frozen=True)
class Entry:
    """A contender and the text it is given."""

    contender: Contender
    text: BenchmarkText

    def result(self, runs: Sequence[Usage], failure: str = "") -> Result:
        """Of these runs; one that failed takes the others' figures away."""
        contender, reason = self.contender, self.contender.missing or failure
        status = Status.MISSING if contender.missing else Status.FAILED if failure else Status.MEASURED
        figures = () if reason else tuple(runs)
        return Result(contender.name, contender.does, status, reason, self.text.megabytes, figures)


def measure_in_turn(entries: Sequence[Entry], repeats: int, directory: Path) -> list[Result]:
    """Measures everybody once, then everybody again: what the machine does in a bad minute falls on all alike.

    Args:
        entries: those that are missing too.
        repeats: runs of each.
        directory: a new one, for what they write.

    Returns:
        A result for each entry, in their order.
    """
    runs: list[list[Usage]] = [[] for _ in entries]
    failures: dict[int, str] = {}
    for repeat in range(repeats):
        for number, entry in enumerate(entries):
            if entry.contender.missing or number in failures:
                continue
            print(f"  {entry.contender.name}, {entry.text.megabytes:.2f} MB", file=sys.stderr)
            try:
                runs[number].append(measure(entry.contender, entry.text, directory / f"{number}-{repeat}"))
            except ContenderFailedError as error:
                failures[number] = str(error)
    return [entry.result(runs[number], failures.get(number, "")) for number, entry in enumerate(entries)]


def measure_with_startup(
    entries: Sequence[Entry], startup: BenchmarkText, repeats: int, directory: Path
) -> tuple[Result, ...]:
    """Measures everybody on their text and on next to none; arguments as of `measure_in_turn`.

    Args:
        entries: see there.
        startup: next to no text.
        repeats: runs of each on each text.
        directory: see there.
    """
    results = measure_in_turn(entries, repeats, directory / "text")
    # Afterwards, so that neither caches of the file system nor compiled modules are new to anybody.
    measured = [place for place, result in enumerate(results) if result.status is Status.MEASURED]
    startups = measure_in_turn(
        [Entry(entries[place].contender, startup) for place in measured], repeats, directory / "startup"
    )
    for place, fixed in zip(measured, startups, strict=True):
        if fixed.status is Status.MEASURED:
            results[place] = replace(results[place], startups=fixed.runs)
        else:
            results[place] = entries[place].result((), fixed.reason)
    return tuple(results)
