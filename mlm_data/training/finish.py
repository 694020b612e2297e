"""What is done with a model when its training is: written in all its forms, with curves and results."""

from __future__ import annotations

from pathlib import Path

from mlm_data.shards import TRAIN, VALIDATION
from mlm_data.training.curves import draw_curves
from mlm_data.training.evaluation import unigram_entropy
from mlm_data.training.export import Exported, export
from mlm_data.training.loop import Trained, Training
from mlm_data.training.results import Results
from mlm_data.training.run_directory import CURVES
from mlm_data.training.trained_models import EXPORT


def finish(training: Training, trained: Trained) -> Exported:
    """Writes `export/`, `curves.svg` and, last, `results.json` to `model_dir`; tells what came of the first."""
    directory, data = Path(training.run.model_dir), training.data
    lower = data.manifest.do_lower_case
    exported = export(trained.model, training.config, data.vocabulary, directory / EXPORT, do_lower_case=lower)
    train, validation = trained.log.last(TRAIN), trained.log.last(VALIDATION)
    assert train, "a run logs its last step"
    entropy = unigram_entropy(data, TRAIN)
    draw_curves(trained.log.entries, entropy, directory / CURVES)
    Results(train.step, train.scores, validation.scores if validation else None, entropy).write(directory)
    return exported
