"""What a validation says: checks, each with its verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

ALPHA = 1e-6  # how often a statistical check may call sound data unsound


class Verdict(StrEnum):
    """What came of a check; the value is what users see."""

    OK = "ok"
    VIOLATED = "VIOLATED"
    NOT_MADE = "not made"


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant and what was found of it.

    Attributes:
        name: of the invariant, short.
        explanation: the invariant in a sentence.
        observed: what the data shows; empty where the check was not made.
        expected: what a sound dataset shows.
        verdict: whether these agree.
        detail: the first place that offends, the p-value, or why the check was not made.
    """

    name: str
    explanation: str
    observed: str
    expected: str
    verdict: Verdict
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """An invariant, of which checks are made; attributes as in `Check`."""

    name: str
    explanation: str

    def not_made(self, reason: str) -> Check:
        """Something is missing to check it."""
        return Check(self.name, self.explanation, "", "", Verdict.NOT_MADE, reason)

    def decided(self, *, is_sound: bool, observed: str, expected: str, detail: str = "") -> Check:
        """It was checked."""
        verdict = Verdict.OK if is_sound else Verdict.VIOLATED
        return Check(self.name, self.explanation, observed, expected, verdict, detail)

    def tested(self, p_values: Sequence[float], *, observed: str, expected: str) -> Check:
        """It was checked by one or more tests, each at its share of alpha (Bonferroni)."""
        least = min(1.0, min(p_values) * len(p_values))
        told = f"p = {least:.2g}" if least else "p < 1e-300"
        return self.decided(is_sound=least >= ALPHA, observed=observed, expected=expected, detail=told)


@dataclass(frozen=True, slots=True)
class Verification:
    """All checks of a dataset.

    Attributes:
        shards: files looked at.
        records: in them, those that could be read.
        checks: in the order of the data: files, records, all records together.
    """

    shards: int
    records: int
    checks: tuple[Check, ...]

    @property
    def is_sound(self) -> bool:
        """Whether no check was violated; those that were not made prove nothing."""
        return not self.having(Verdict.VIOLATED)

    def having(self, verdict: Verdict) -> tuple[Check, ...]:
        """The checks of this verdict."""
        return tuple(check for check in self.checks if check.verdict is verdict)

    def summary(self) -> str:
        """One line for a person."""
        sums = [f"{len(found)} {verdict}" for verdict in Verdict if (found := self.having(verdict))]
        return f"{self.records:,} records in {self.shards:,} shards, {len(self.checks)} checks: {', '.join(sums)}"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"is_sound": self.is_sound, "summary": self.summary(), **dataclasses.asdict(self)}
