"""What a contender took for one text, as a value and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from benchmarks.usage import Usage, least_cpu

# A growing part of less than this share of the fixed one is not told: the fixed one itself differs from run to run.
_LEAST_SHARE = 0.2


class Status(StrEnum):
    """Whether there are figures."""

    MEASURED = "measured"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True)
class Result:
    """What a contender took.

    Attributes:
        name: as in `Contender`.
        does: as in `Contender`.
        status: whether there are figures.
        reason: why there are none; empty where there are.
        megabytes: of raw text, millions of bytes.
        runs: all runs on the text.
        startups: runs on next to no text: imports, vocabulary, all that does not grow; none where nobody asked.
    """

    name: str
    does: str
    status: Status
    reason: str
    megabytes: float
    runs: tuple[Usage, ...] = ()
    startups: tuple[Usage, ...] = ()

    @property
    def best(self) -> Usage | None:
        """The run that counts; none where nothing was measured."""
        return least_cpu(self.runs) if self.runs else None

    @property
    def fixed_cpu_seconds(self) -> float | None:
        """What it takes whatever the text."""
        return least_cpu(self.startups).cpu_seconds if self.startups else None

    @property
    def cpu_seconds_per_mb(self) -> float | None:
        """Of the whole process."""
        return self.best.cpu_seconds / self.megabytes if self.best else None

    @property
    def growing_cpu_seconds_per_mb(self) -> float | None:
        """Without what is the same for any text; none where a text is too small to tell the difference."""
        if self.best is None or self.fixed_cpu_seconds is None:
            return None
        growing = self.best.cpu_seconds - self.fixed_cpu_seconds
        return growing / self.megabytes if growing > _LEAST_SHARE * self.fixed_cpu_seconds else None

    def to_json(self) -> dict[str, Any]:
        """As `benchmark.json` holds it; figures that are not known are null."""
        best = self.best
        return {
            "name": self.name,
            "does": self.does,
            "status": self.status.value,
            "reason": self.reason,
            "megabytes": self.megabytes,
            "cpu_seconds": best.cpu_seconds if best else None,
            "wall_seconds": best.wall_seconds if best else None,
            "fixed_cpu_seconds": self.fixed_cpu_seconds,
            "cpu_seconds_per_mb": self.cpu_seconds_per_mb,
            "growing_cpu_seconds_per_mb": self.growing_cpu_seconds_per_mb,
            "peak_bytes": best.peak_bytes if best else None,
            "records": best.records if best else None,
            "runs": [asdict(run) for run in self.runs],
            "startups": [asdict(run) for run in self.startups],
        }


def ratio(one: float | None, other: float | None) -> float | None:
    """How many times the other; none where one of them is not known."""
    return one / other if one is not None and other else None
