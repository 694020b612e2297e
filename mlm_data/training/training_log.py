"""How a run went: a line of `log.jsonl` for each look at the scores, and the same for TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import tensorflow as tf

from mlm_data.training.run_directory import LOG, TENSORBOARD
from mlm_data.training.scores import Scores


@dataclass(frozen=True, slots=True)
class Entry:
    """Scores at some point of a run.

    Attributes:
        step: steps done.
        split: whose instances were looked at; of "train", those since the last such entry, as they were trained on.
        scores: of these instances.
        learning_rate: of the last step, in entries of "train".
        examples_per_second: trained on lately, likewise.
    """

    step: int
    split: str
    scores: Scores
    learning_rate: float | None = None
    examples_per_second: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As `log.jsonl` holds it."""
        values = {"step": self.step, "split": self.split, **asdict(self.scores), "perplexity": self.scores.perplexity}
        values |= {"learning_rate": self.learning_rate, "examples_per_second": self.examples_per_second}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Reads what `to_json` gave."""
        scores = Scores(**{field.name: values.get(field.name) for field in fields(Scores)})  # type: ignore[arg-type]
        others = ("learning_rate", "examples_per_second")
        return cls(values["step"], values["split"], scores, *(values.get(name) for name in others))


class TrainingLog:
    """Entries so far; what is added is on disk at once."""

    def __init__(self, directory: Path, step: int) -> None:
        """Opens the log of a run that goes on after so many steps: what an earlier one wrote of later ones is dropped.

        Args:
            directory: of the run.
            step: steps done.
        """
        path = directory / LOG
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        # The last line may lack its end, if the run was killed.
        whole = [Entry.from_json(json.loads(line)) for line in lines if line.endswith("\n")]
        self.entries = [entry for entry in whole if entry.step <= step]
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._file.writelines(_line(entry) for entry in self.entries)
        self._board, self._writers = directory / TENSORBOARD, dict[str, Any]()

    def add(self, entry: Entry) -> None:
        """Adds an entry."""
        self.entries.append(entry)
        self._file.write(_line(entry))
        if entry.split not in self._writers:
            self._writers[entry.split] = tf.summary.create_file_writer(str(self._board / entry.split))
        with self._writers[entry.split].as_default(step=entry.step):
            for name, value in entry.to_json().items():
                if isinstance(value, float):
                    tf.summary.scalar(name, value)
            tf.summary.flush()

    def last(self, split: str) -> Entry | None:
        """The latest entry of a split."""
        return next((entry for entry in reversed(self.entries) if entry.split == split), None)

    def of(self, split: str) -> Sequence[Entry]:
        """All entries of a split."""
        return [entry for entry in self.entries if entry.split == split]


def _line(entry: Entry) -> str:
    return json.dumps(entry.to_json()) + "\n"
