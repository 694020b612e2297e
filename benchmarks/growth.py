"""How cost grows with the size of the text and with `dupe_factor`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.comparison import settings_json
from benchmarks.contenders import OURS, Contender, DatasetSettings
from benchmarks.machine import describe_machine
from benchmarks.measuring import Entry, measure_in_turn
from benchmarks.results import Result, Status
from benchmarks.text import BenchmarkText
from benchmarks.usage import Usage


class Cause(StrEnum):
    """What cost grows with."""

    MEGABYTES = "megabytes"
    DUPE_FACTOR = "dupe_factor"


@dataclass(frozen=True)
class Line:
    """The straight line nearest to what was measured, in CPU seconds.

    Attributes:
        fixed: where it begins: all that does not grow.
        slope: for one more of the cause.
    """

    fixed: float
    slope: float

    def formula(self, unit: str) -> str:
        """In words, three figures that count."""
        sign = "-" if self.slope < 0 else "+"
        return f"{_three(self.fixed)} s {sign} {_three(abs(self.slope))} s per {unit}"


@dataclass(frozen=True)
class Point:
    """One text with one `dupe_factor`."""

    megabytes: float
    dupe_factor: int
    usage: Usage

    def at(self, cause: Cause) -> float:
        """Where on the axis of a cause."""
        return self.megabytes if cause is Cause.MEGABYTES else self.dupe_factor


@dataclass(frozen=True)
class Series:
    """One contender along one cause.

    Attributes:
        name: as in `Contender`.
        does: as in `Contender`.
        cause: what grows.
        points: in the order of the cause.
        status: whether all was measured that should be.
        reason: why there are no more points; empty where all were measured.
    """

    name: str
    does: str
    cause: Cause
    points: tuple[Point, ...]
    status: Status = Status.MEASURED
    reason: str = ""

    @property
    def line(self) -> Line | None:
        """Nearest by least squares; none for fewer than two points."""
        places = [point.at(self.cause) for point in self.points]
        if len(set(places)) < 2:
            return None
        slope, fixed = np.polyfit(places, [point.usage.cpu_seconds for point in self.points], 1)
        return Line(float(fixed), float(slope))

    def to_json(self) -> dict[str, Any]:
        """As `growth.json` holds it."""
        return {
            "name": self.name,
            "does": self.does,
            "grows_with": self.cause.value,
            "status": self.status.value,
            "reason": self.reason,
            "points": [
                {"megabytes": point.megabytes, "dupe_factor": point.dupe_factor, **asdict(point.usage)}
                for point in self.points
            ],
            "cpu_seconds_line": asdict(self.line) if self.line else None,
        }


@dataclass(frozen=True)
class Growth:
    """All series of one run.

    Attributes:
        settings: of the datasets; its `dupe_factor` is that of the series that grow with the text.
        most_baseline_work: MB of text times `dupe_factor` beyond which baselines were not measured.
        series: ours and those of baselines, by text first.
    """

    settings: DatasetSettings
    most_baseline_work: float
    series: tuple[Series, ...]

    def along(self, cause: Cause) -> tuple[Series, ...]:
        """The series of one cause, ours first."""
        return tuple(series for series in self.series if series.cause is cause)

    @property
    def failed(self) -> bool:
        """Whether somebody who was there could not be measured."""
        return any(series.status is Status.FAILED for series in self.series)

    def to_json(self) -> dict[str, Any]:
        """As `growth.json` holds it."""
        return {
            "machine": describe_machine(),
            "settings": settings_json(self.settings),
            "most_baseline_megabytes_times_dupe_factor": self.most_baseline_work,
            "series": [series.to_json() for series in self.series],
        }


@dataclass(frozen=True)
class Step:
    """One text with one `dupe_factor`.

    Attributes:
        text: what contenders are given.
        dupe_factor: what they are asked for.
        is_for_baselines: whether these are measured too.
    """

    text: BenchmarkText
    dupe_factor: int
    is_for_baselines: bool = True


def measure_series(
    contenders: Callable[[int], Sequence[Contender]],
    cause: Cause,
    steps: Sequence[Step],
    *,
    repeats: int,
    directory: Path,
) -> tuple[Series, ...]:
    """Measures all contenders along one cause; whoever fails at a step is not asked for a larger one.

    Args:
        contenders: ours and the baselines by `dupe_factor`, always in the same order.
        cause: what grows.
        steps: in the order of the cause.
        repeats: runs of each.
        directory: a new one, for what they write.
    """
    series = {one.name: Series(one.name, one.does, cause, ()) for one in contenders(1)}
    for number, step in enumerate(steps):
        entries = [
            Entry(contender, step.text)
            for contender in contenders(step.dupe_factor)
            if series[contender.name].status is Status.MEASURED and (step.is_for_baselines or contender.name == OURS)
        ]
        for result in measure_in_turn(entries, repeats, directory / f"step-{number}"):
            series[result.name] = _with_point(series[result.name], step, result)
    return tuple(series.values())


def _three(seconds: float) -> str:
    return f"{round(seconds, 3):.3g}"


def _with_point(series: Series, step: Step, result: Result) -> Series:
    points = series.points
    if result.best:
        points = (*points, Point(step.text.megabytes, step.dupe_factor, result.best))
    return Series(series.name, series.does, series.cause, points, result.status, result.reason)
