"""`results.json`: how good a trained model is. Written last: where there is none, training is not done."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mlm_data.training.run_directory import RESULTS, write_json
from mlm_data.training.scores import Scores


@dataclass(frozen=True)
class Results:
    """How good a model is.

    Attributes:
        steps: it was trained for.
        train: scores on the instances of the last entry in the log, as it was trained on them, with dropout.
        validation: scores on the whole validation split; None where there is none.
        unigram_entropy: the masked-LM loss, in nats, of guessing by the frequencies of tokens alone.
    """

    steps: int
    train: Scores
    validation: Scores | None
    unigram_entropy: float

    def write(self, directory: Path) -> None:
        """Writes them beside the rest of a run."""
        write_json(directory / RESULTS, dataclasses.asdict(self))

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Reads those of a finished run."""
        values: dict[str, Any] = json.loads((directory / RESULTS).read_bytes())
        train, validation = values.pop("train"), values.pop("validation")
        return cls(**values, train=Scores(**train), validation=Scores(**validation) if validation else None)
