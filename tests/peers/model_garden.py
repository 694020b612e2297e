"""Trains TF Model Garden's own masked-LM task on a dataset, with nothing of it replaced or adapted.

A script rather than a test: Model Garden pins TensorFlow and brings 125 packages, so it lives in an environment of its
own (`make check-model-garden`). Of this project it imports the schema alone.

Exit status: 0 every check passed, 1 one did not, 2 there is no dataset to check.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from official.nlp.configs import bert, encoders
from official.nlp.data.pretrain_dataloader import BertPretrainDataConfig, BertPretrainDataLoader
from official.nlp.data.pretrain_dynamic_dataloader import BertPretrainDataConfig as DynamicDataConfig
from official.nlp.tasks.masked_lm import MaskedLMConfig, MaskedLMTask
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mlm_data.examples import Width, features_of

SEED = 12345
BATCH_SIZE = 32
LEARNING_RATE = 1e-3
HIDDEN_SIZE = 128
MASKING = "token"  # or any other: all give the same features, but for "none", on which the task cannot train
NEXT_SENTENCE_LABELS = "next_sentence_labels"
NEXT_SENTENCE = "next_sentence"  # the name under which the task looks for the logits of next_sentence_labels
UNUSED = "pooler_transform"  # the encoder's own pooler: the pre-training head brings another, so no gradient gets here

Batch = Mapping[str, Any]  # tensors by feature name


class NoDatasetError(Exception):
    """The directory cannot be checked; the message says what is missing and what to do."""


@dataclass(frozen=True)
class Dataset:
    """What Model Garden has to be told about a directory of shards.

    `slots` are the values of the masked_lm features by the length of records, `lengths` those of shards by name where
    there are several.
    """

    shards: tuple[Path, ...]
    vocabulary_size: int
    slots: Mapping[int, int]
    lengths: Mapping[str, int]
    feature_names: str
    objective: str

    @property
    def max_seq_length(self) -> int:
        """Tokens of the longest records."""
        return max(self.slots)

    @property
    def has_labels(self) -> bool:
        """Whether the task may be told to look for next_sentence_labels."""
        return NEXT_SENTENCE_LABELS in {feature.v2 for feature in features_of(self.objective, MASKING)}

    @property
    def largest_shard(self) -> Path:
        """The one to look into: of a small corpus, others may be empty."""
        return max(self.shards, key=lambda shard: shard.stat().st_size)

    def training_config(self) -> BertPretrainDataConfig | DynamicDataConfig:
        """Settings for the loader of all shards: the dynamic one where these have several lengths."""
        gzipped = self.shards[0].suffix == ".gz"
        pattern = str(self.shards[0].parent / ("train-*.tfrecord.gz" if gzipped else "train-*.tfrecord"))
        settings = self._settings() | {"input_path": pattern, "is_training": True, "seed": SEED}
        if self.lengths:  # the dynamic loader reads no other file type
            return DynamicDataConfig(**settings, seq_bucket_lengths=tuple(self.slots))
        return BertPretrainDataConfig(**settings, **self._sizes(), file_type=self._file_type)

    def shard_config(self) -> BertPretrainDataConfig:
        """Settings for the plain loader, to read the largest shard in the order of the file."""
        one_shard = {"input_path": str(self.largest_shard), "is_training": False, "drop_remainder": False}
        return BertPretrainDataConfig(**self._settings(), **self._sizes(), **one_shard, file_type=self._file_type)

    @property
    def _file_type(self) -> str:
        return "tfrecord_compressed" if self.shards[0].suffix == ".gz" else "tfrecord"

    def _settings(self) -> dict[str, Any]:
        return {
            "use_v2_feature_names": self.feature_names == "v2",
            "use_next_sentence_label": self.has_labels,
            "global_batch_size": BATCH_SIZE,
        }

    def _sizes(self) -> dict[str, int]:
        """Those of the largest shard."""
        length = self.lengths.get(self.largest_shard.name, self.max_seq_length)
        return {"seq_length": length, "max_predictions_per_seq": self.slots[length]}

    def schema(self) -> dict[str, tf.io.FixedLenFeature]:
        """The schema of the largest shard as `tf.io.parse_example` wants it, by the names the records bear."""
        length, slots = self._sizes().values()
        widths = {Width.SEQUENCE: length, Width.PREDICTIONS: slots, Width.ONE: 1}
        return {
            feature.name(self.feature_names): tf.io.FixedLenFeature(
                [widths[feature.width]], tf.dtypes.as_dtype(feature.dtype)
            )
            for feature in features_of(self.objective, MASKING)
        }


@dataclass(frozen=True)
class Check:
    """One claim, whether it holds, and what was seen."""

    claim: str
    holds: bool
    seen: str


@dataclass
class LabelCount:
    """What the labels of the batches trained on looked like."""

    predicted: int = 0
    predicted_padding: int = 0
    unused_slots_filled: int = 0
    next_sentence: dict[int, int] = field(default_factory=dict)
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, batch: Batch) -> None:
        """Counts one batch."""
        size = (batch["input_word_ids"].shape[1], batch["masked_lm_ids"].shape[1])
        self.sizes[size] = self.sizes.get(size, 0) + 1
        used = batch["masked_lm_weights"].numpy() > 0
        ids = batch["masked_lm_ids"].numpy()
        self.predicted += int(used.sum())
        self.predicted_padding += int((ids[used] == 0).sum())
        self.unused_slots_filled += int((ids[~used] != 0).sum())
        for label in batch.get(NEXT_SENTENCE_LABELS, tf.zeros([0, 1])).numpy()[:, 0].tolist():
            self.next_sentence[label] = self.next_sentence.get(label, 0) + 1


def read_dataset(directory: Path, arguments: argparse.Namespace) -> Dataset:
    """Finds the shards and what their manifest, or else the arguments, say of them.

    Raises:
        NoDatasetError: there are no shards or no vocabulary, or nobody says how long the records are.
    """
    shards = tuple(sorted(directory.glob("train-*.tfrecord")) or sorted(directory.glob("train-*.tfrecord.gz")))
    if not shards:
        raise NoDatasetError(f"{directory} holds no train-*.tfrecord; make a dataset there with make-pretraining-data")
    vocabulary = directory / "vocab.txt"
    if not vocabulary.is_file():
        raise NoDatasetError(f"{vocabulary} is missing; the model cannot be sized without it")
    manifest = read_manifest(directory)
    max_seq_length = arguments.seq_length or manifest.get("max_seq_length")
    max_predictions_per_seq = arguments.max_predictions_per_seq or manifest.get("max_predictions_per_seq")
    if manifest and not max_predictions_per_seq:
        raise NoDatasetError(f"{directory} holds records without masks, on which Model Garden's task cannot train")
    if not max_seq_length or not max_predictions_per_seq:
        raise NoDatasetError(f"{directory} has no manifest.json; give --seq_length and --max_predictions_per_seq")
    buckets = manifest.get("sequence_buckets", {})
    if buckets and (manifest["feature_names"], manifest["compression"]) != ("v2", "none"):
        raise NoDatasetError(
            f"{directory} holds shards of several lengths; Model Garden reads these plain, with v2 names"
        )
    return Dataset(
        shards=shards,
        vocabulary_size=len(vocabulary.read_bytes().removesuffix(b"\n").split(b"\n")),
        slots=dict(sorted((int(length), slots) for length, slots in buckets.items()))
        or {max_seq_length: max_predictions_per_seq},
        lengths={shard["name"]: shard["seq_length"] for shard in manifest["shards"]["train"]} if buckets else {},
        feature_names=manifest.get("feature_names", "v2"),
        objective=manifest.get("objective", "nsp"),
    )


def read_manifest(directory: Path) -> dict[str, Any]:
    """What the dataset's manifest says; nothing where the shards come from elsewhere."""
    path = directory / "manifest.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def build_task(dataset: Dataset) -> MaskedLMTask:
    """Model Garden's pre-training task around a 2-layer encoder, 128 wide."""
    encoder = encoders.BertEncoderConfig(
        vocab_size=dataset.vocabulary_size,
        hidden_size=HIDDEN_SIZE,
        num_layers=2,
        num_attention_heads=2,
        intermediate_size=4 * HIDDEN_SIZE,
        max_position_embeddings=dataset.max_seq_length,
    )
    head = bert.ClsHeadConfig(inner_dim=HIDDEN_SIZE, num_classes=2, dropout_rate=0.1, name=NEXT_SENTENCE)
    model = bert.PretrainerConfig(
        encoder=encoders.EncoderConfig(type="bert", bert=encoder), cls_heads=[head] if dataset.has_labels else []
    )
    return MaskedLMTask(MaskedLMConfig(model=model, train_data=dataset.training_config()))


def first_batch(dataset: Dataset) -> Batch:
    """The first records of the largest shard, in the order of the file, through Model Garden's loader."""
    return next(iter(BertPretrainDataLoader(dataset.shard_config()).load()))


def check_parsing(dataset: Dataset, batch: Batch) -> Check:
    """Whether Model Garden's tensors are what the schema says lies in the file."""
    compression = "GZIP" if dataset.largest_shard.suffix == ".gz" else ""
    shard = tf.data.TFRecordDataset(str(dataset.largest_shard), compression_type=compression)
    records = next(iter(shard.batch(BATCH_SIZE)))
    parsed = tf.io.parse_example(records, dataset.schema())
    features = features_of(dataset.objective, MASKING)
    expected = {feature.v2: parsed[feature.name(dataset.feature_names)].numpy() for feature in features}
    differing = sorted(
        {name for name in expected.keys() & batch.keys() if not np.array_equal(expected[name], batch[name].numpy())}
        | (expected.keys() ^ batch.keys())
    )
    return Check(
        "the loader's tensors are what the schema reads",
        not differing,
        f"differing: {', '.join(differing)}" if differing else f"{len(expected)} features x {len(records)} records",
    )


def train(task: MaskedLMTask, model: tf_keras.Model, steps: int, labels: LabelCount) -> Iterator[dict[str, float]]:
    """Trains with Adam on shuffled batches; yields the loss and the metrics of each step alone."""
    optimizer = tf_keras.optimizers.Adam(LEARNING_RATE)
    metrics = task.build_metrics(training=True)
    train_step = tf.function(lambda batch: task.train_step(batch, model, optimizer, metrics))
    for batch in task.build_inputs(task.task_config.train_data).take(steps):
        labels.add(batch)
        for metric in metrics:
            metric.reset_state()
        logs = train_step(batch)
        yield {"loss": float(logs[task.loss])} | {metric.name: float(metric.result()) for metric in metrics}


def loss_of(task: MaskedLMTask, model: tf_keras.Model, batch: Batch) -> float:
    """The task's own loss on one batch, without dropout."""
    return float(task.validation_step(batch, model, task.build_metrics(training=False))[task.loss])


def check_training(dataset: Dataset, steps: int, console: Console) -> list[Check]:
    """Trains and says what came of it."""
    tf_keras.utils.set_random_seed(SEED)
    task = build_task(dataset)
    model = task.build_model()
    batch = first_batch(dataset)
    parsing = check_parsing(dataset, batch)
    loss_before = loss_of(task, model, batch)
    # Some layers are built by their first call, so only now are all weights there.
    weights = [weight for weight in model.trainable_variables if not weight.name.startswith(UNUSED)]
    before = [weight.numpy() for weight in weights]
    labels = LabelCount()
    rows = list(train(task, model, steps, labels))
    console.print(table_of_steps(rows))
    loss_after = loss_of(task, model, batch)
    stuck = [
        weight.name
        for weight, old in zip(weights, before, strict=True)
        if np.array_equal(old, weight.numpy()) or not np.isfinite(weight.numpy()).all()
    ]
    return [
        parsing,
        Check(
            "every loss and metric is finite",
            len(rows) == steps and all(np.isfinite(value) for row in rows for value in row.values()),
            f"{len(rows)} of {steps} steps",
        ),
        Check(
            "every weight changed and is finite",
            not stuck,
            f"{len(stuck)} of {len(weights)} not, first {stuck[0]}" if stuck else f"{len(weights)} variables",
        ),
        Check(
            f"the loss on one batch is lower after {steps} steps",
            loss_after < loss_before,
            f"{loss_before:.3f} -> {loss_after:.3f}",
        ),
        *check_labels(dataset, labels),
        *([check_sizes(dataset, labels)] if dataset.lengths else []),
    ]


def check_labels(dataset: Dataset, labels: LabelCount) -> Iterator[Check]:
    """What must hold of the labels for Model Garden's loss and its dynamic loader, which takes id 0 for padding."""
    yield Check(
        "no label id is 0 where the weight is 1",
        labels.predicted > 0 and not labels.predicted_padding,
        f"{labels.predicted_padding} of {labels.predicted}",
    )
    yield Check(
        "every label id is 0 where the weight is 0", not labels.unused_slots_filled, f"{labels.unused_slots_filled} not"
    )
    if dataset.has_labels:
        yield Check(
            "next_sentence_labels are 0 and 1, both present",
            labels.next_sentence.keys() == {0, 1},
            ", ".join(f"{label}: {count}" for label, count in sorted(labels.next_sentence.items())),
        )


def check_sizes(dataset: Dataset, labels: LabelCount) -> Check:
    """Whether the dynamic loader makes batches of the very lengths and mask slots that the shards have."""
    seen = ", ".join(f"{length}/{slots}: {count}" for (length, slots), count in sorted(labels.sizes.items()))
    holds = len(labels.sizes) > 1 and labels.sizes.keys() <= set(dataset.slots.items())
    return Check("batches have the lengths and slots of shards", holds, f"{seen} batches")


def table_of_steps(rows: list[dict[str, float]]) -> Table:
    """One line a step."""
    table = Table(title=f"{len(rows)} training steps, {BATCH_SIZE} records each")
    table.add_column("step", justify="right")
    for name in rows[0] if rows else ():
        table.add_column(name, justify="right")
    for step, row in enumerate(rows, 1):
        table.add_row(str(step), *(f"{value:.4f}" for value in row.values()))
    return table


def table_of_checks(checks: list[Check]) -> Table:
    """One line a check."""
    table = Table(title="Checks")
    for name in ("", "check", "seen"):
        table.add_column(name)
    for check in checks:
        table.add_row("[green]ok[/]" if check.holds else "[bold red]FAILED[/]", check.claim, escape(check.seen))
    return table


def main() -> int:
    """Runs every check on one dataset directory."""
    parser = argparse.ArgumentParser(description="Trains TF Model Garden's masked-LM task on a dataset.")
    parser.add_argument("directory", type=Path, help="dataset directory, as make-pretraining-data wrote it")
    parser.add_argument("--seq_length", type=int, help="tokens of a record; by default as manifest.json says")
    parser.add_argument("--max_predictions_per_seq", type=int, help="mask slots; by default as manifest.json says")
    parser.add_argument("--steps", type=int, default=30, help="training steps (30)")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    # Expected: the unused pooler has no gradient, and the labels travel among the model's inputs.
    tf.get_logger().setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "Input dict contained keys", UserWarning)
    try:
        dataset = read_dataset(arguments.directory, arguments)
    except NoDatasetError as error:
        Console(stderr=True).print(f"model_garden: {error}", markup=False)
        return 2
    console.print(
        f"TF Model Garden {version('tf-models-official')}, TensorFlow {tf.__version__}: {len(dataset.shards)} shards, "
        f"{dataset.vocabulary_size} pieces, records "
        f"{', '.join(f'{length}/{slots}' for length, slots in sorted(dataset.slots.items()))}, "
        f"{dataset.feature_names} names"
    )
    try:
        checks = check_training(dataset, arguments.steps, console)
    except tf.errors.OpError as error:
        reason = re.sub(r"\{\{.*?\}\} ?", "", error.message.splitlines()[0])
        checks = [Check("Model Garden reads the records", holds=False, seen=reason)]
    console.print(table_of_checks(checks))
    return 0 if all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
