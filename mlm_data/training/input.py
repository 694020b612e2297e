"""Shards to batches: `tf.data`, deterministic, and able to begin anywhere.

Batch number n is a function of seed and n alone. So there is no state of the input to save: a run that goes on asks for
the batches from its step on. Nor does it matter how many devices there are: each takes its rows of the same batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from mlm_data.examples import Width, features_of
from mlm_data.training.dataset import PretrainingData
from mlm_data.training.dynamic_masking import Batch, make_masker
from mlm_data.training.keys import make_key
from mlm_data.training.lengths import LengthOrder, order_all
from mlm_data.training.passes import all_records, endless_records
from mlm_data.training.workers import WHOLE, Share

# Instances whose masks are drawn by one seed where nothing but the data may decide them.
_MASKED_TOGETHER = 256


@dataclass(frozen=True)
class Reader:
    """Reads batches of a dataset, each a dict by v2 feature name: int32, weights float32; [rows, width], labels [rows].

    All instances of a batch have one length; where the dataset has several, widths differ from batch to batch.

    Attributes:
        data: what is read.
        batch_size: instances of a batch, all shares together.
        share: the rows to take.
        draws_masks: whether masks are drawn anew, as `data.masking` says; otherwise they are as in the shards.
    """

    data: PretrainingData
    batch_size: int
    share: Share = WHOLE
    draws_masks: bool = False

    def training_batches(self, split: str, *, seed: int, shuffle_buffer: int, first: int = 0) -> Any:
        """Endless batches of shuffled instances.

        Lengths come in random order, each as often as its share of the instances; those of a length pass after pass,
        see `endless_records`.

        Args:
            split: for example "train".
            seed: decides the order, and masks that are drawn anew.
            shuffle_buffer: instances to shuffle among, all lengths together.
            first: the number of the first batch; those before it are left out.
        """
        parts = self.data.by_length(split)
        lengths = LengthOrder([part.instances(split) for part in parts], make_key(seed, "lengths"))
        streams = []
        for part, begun in zip(parts, lengths.count(first), strict=True):
            width, share = part.manifest.max_seq_length, part.instances(split) / self.data.instances(split)
            buffer, key = math.ceil(shuffle_buffer * share), make_key(seed, "input", width)
            records = endless_records(part, split, key, buffer, begun * self.batch_size)
            batches = records.batch(self.batch_size, drop_remainder=True).enumerate(begun)
            streams.append(self._to_tensors(batches, part, make_key(seed, "masks", width)))
        return _choose(streams, lengths.numbers(first))

    def evaluation_batches(self, split: str) -> Any:
        """Every instance of a split once, always in the same order; the last batch of each length may be smaller.

        Masks that are drawn are always the same, whatever the size of batches and the number of shares.
        """
        parts = self.data.by_length(split)
        counts = [-(-part.instances(split) // self.batch_size) for part in parts]
        streams = [self._evaluation_stream(part, split) for part in parts]
        return _choose(streams, tf.data.Dataset.from_tensor_slices(order_all(counts)))

    def _evaluation_stream(self, part: PretrainingData, split: str) -> Any:
        records = all_records(part, split)
        key = make_key(0, "masks", part.manifest.max_seq_length)
        if not self.draws_masks:
            return self._to_tensors(records.batch(self.batch_size).enumerate(), part, key)
        whole = Reader(self.data, _MASKED_TOGETHER, draws_masks=True)
        masked = whole._to_tensors(records.batch(_MASKED_TOGETHER).enumerate(), part, key)
        return masked.rebatch(self.batch_size).map(lambda batch: tf.nest.map_structure(self._take_rows, batch))

    def _take_rows(self, values: Any) -> Any:
        return values[self.share.index :: self.share.count]

    def _to_tensors(self, batches: Any, part: PretrainingData, key: Any) -> Any:
        """Numbered batches of serialized records to tensors: the rows of the share, parsed all at once."""
        parse, index = _parser(part), self.share.index
        mask = make_masker(part.masking, part.vocabulary) if self.draws_masks else None

        def convert(number: Any, records: Any) -> Batch:
            batch = parse(self._take_rows(records))
            return mask(batch, tf.random.fold_in(tf.random.fold_in(key, number), index)) if mask else batch

        return batches.map(convert, num_parallel_calls=tf.data.AUTOTUNE)


def _choose(streams: list[Any], numbers: Any) -> Any:
    """The next batch of the stream of each number."""
    return tf.data.Dataset.choose_from_datasets(streams, numbers).prefetch(tf.data.AUTOTUNE)


def _parser(data: PretrainingData) -> Callable[[Any], Batch]:
    """Turns serialized records, string [rows], into tensors by v2 name."""
    manifest = data.manifest
    widths = {Width.SEQUENCE: [manifest.max_seq_length], Width.PREDICTIONS: [manifest.max_predictions_per_seq]}
    features = features_of(manifest.objective, manifest.masking)
    schema = {
        feature.name(manifest.feature_names): tf.io.FixedLenFeature(
            widths.get(feature.width, []), tf.dtypes.as_dtype(feature.dtype)
        )
        for feature in features
    }

    def parse(records: Any) -> Batch:
        parsed = tf.io.parse_example(records, schema)
        values = {feature.v2: parsed[feature.name(manifest.feature_names)] for feature in features}
        # Devices compute with int32; on some, int64 does not exist.
        return {name: tf.cast(value, tf.int32) if value.dtype.is_integer else value for name, value in values.items()}

    return parse
