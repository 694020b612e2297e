"""Training runs of a few steps of a model of one layer."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from mlm_data.config.training import DynamicMaskingSettings, TrainingRunSettings, TrainingSettings
from mlm_data.shards import TRAIN
from mlm_data.storage import LocalStorage
from mlm_data.training.dataset import PretrainingData
from mlm_data.training.scores import Scores
from tests.tiny_bert import NEXT_SENTENCE, tiny_config

STEPS, BATCH = 6, 8


def settings(**changes: Any) -> TrainingSettings:
    flags = {"batch_size": BATCH, "num_train_steps": STEPS, "learning_rate": 0.01, "num_warmup_steps": 2}
    return TrainingSettings(**flags | changes)


def train(
    directory: Path,
    model_dir: Path,
    *,
    tell: Any = lambda *_: None,
    run: Any = None,
    validate: bool = False,
    labels: bool = True,
    masks: Any = None,
    **changes: Any,
) -> Any:
    """Trains a model of one layer on a dataset."""
    from mlm_data.training import loop
    from mlm_data.training.model_choice import choose_model

    model_dir.mkdir(exist_ok=True)
    flags = {"data_dir": str(directory), "model_dir": str(model_dir), "log_every": 1, "checkpoint_every": 2}
    chosen = settings(**changes)
    data = PretrainingData.load(LocalStorage(), str(directory))
    data = data.with_masks(chosen.masking, DynamicMaskingSettings(**masks or {}))
    if not validate:
        shards = {TRAIN: data.manifest.shards[TRAIN]}
        data = dataclasses.replace(data, manifest=dataclasses.replace(data.manifest, shards=shards))
    if not labels:
        data = dataclasses.replace(
            data, manifest=dataclasses.replace(data.manifest, objective="mlm", label_meanings={})
        )
    if chosen.init_checkpoint:
        config = choose_model(chosen, data)
    else:
        dropout = {"hidden_dropout_prob": chosen.dropout, "attention_probs_dropout_prob": chosen.dropout}
        heads = (NEXT_SENTENCE,) if data.has_sentence_labels else ()
        config = tiny_config(num_hidden_layers=1, max_position_embeddings=32, heads=heads, **dropout)
    return loop.train(loop.Training(chosen, TrainingRunSettings(**flags | (run or {})), data, config), tell)


def scores_of(trained: Any) -> list[Scores]:
    """Those of all entries in the log."""
    return [entry.scores for entry in trained.log.entries]
