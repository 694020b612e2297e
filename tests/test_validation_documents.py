"""Labels and documents, compared with the documents a dataset was made from."""

from __future__ import annotations

import dataclasses
import shutil
from typing import Any

import numpy as np
import pytest

from mlm_data.records import EncodedBatch, InstanceBatch
from tests.datasets import (
    Dataset,
    check,
    detail,
    encode_columns,
    make_dataset,
    masked_batches,
    swap_records,
    violated,
)


def flip_labels(dataset: Dataset, share: float) -> dict[int, Any]:
    """As many labels of either kind, so that half of them stay 1."""
    columns, rng = dataset.columns(3), np.random.default_rng(0)
    labels = columns["next_sentence_labels"][:, 0]
    flipped = [rng.permutation(np.flatnonzero(labels == one))[: int(share * len(labels) / 2)] for one in (0, 1)]
    labels[np.concatenate(flipped)] ^= 1
    return {3: EncodedBatch.of(encode_columns(columns))}


def take_b_from_the_same_document(dataset: Dataset) -> dict[int, Any]:
    """One true pair said to be random, and one random pair made a true one, so that half of them stay 1."""
    columns = dataset.columns(3)
    labels = columns["next_sentence_labels"][:, 0]
    labels[np.flatnonzero(labels == 0)[0]] = 1
    sound = dataset.columns(5)  # of the same bucket
    row, replaced = int(np.flatnonzero(sound["next_sentence_labels"][:, 0] == 0)[3]), np.flatnonzero(labels == 1)[-1]
    for name, values in columns.items():
        values[replaced] = sound[name][row]
    return {3: EncodedBatch.of(encode_columns(columns))}


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (lambda dataset: flip_labels(dataset, 0.02), {"label 0 is true", "label 1 is true"}),
        (take_b_from_the_same_document, {"label 1 is true"}),
        (swap_records, {"label 0 is true", "label 1 is true"}),
    ],
)
def test_labels_that_are_not_true_are_caught_with_the_documents(dataset, spoil, names):
    dataset.write(spoil(dataset))
    found = check(dataset, tokens_dir=str(dataset.tokens_dir))
    assert violated(found)
    assert violated(found) <= names
    assert violated(check(dataset)) == set(), "without the documents nobody can tell"


def test_a_missing_document_is_caught(sound_dataset, tmp_path):
    some = make_dataset(tmp_path, sound_dataset.documents[:17] + sound_dataset.documents[18:])
    found = check(some, tokens_dir=str(some.tokens_dir))
    assert violated(found) == set()
    shutil.copy(sound_dataset.tokens_dir / "tokens-00000.arrow", some.tokens_dir / "tokens-00000.arrow")
    found = check(some, tokens_dir=str(some.tokens_dir))
    assert violated(found) == {"coverage"}
    assert detail(found, "coverage") == "missing: d17, document 0"


def swap_segments(batch: InstanceBatch) -> InstanceBatch:
    """A and B change places where the label is 1; the batch is not masked."""
    ids, a_lengths = batch.input_word_ids.copy(), batch.a_lengths.copy()
    for row in np.flatnonzero(batch.next_sentence_labels).tolist():
        a_end, end = int(batch.a_lengths[row]), int(batch.lengths[row])
        ids[row, 1:end] = np.concatenate([batch.input_word_ids[row, a_end:end], batch.input_word_ids[row, 1:a_end]])
        a_lengths[row] = 1 + end - a_end
    return dataclasses.replace(batch, input_word_ids=ids, a_lengths=a_lengths)


def true_pairs(batch: InstanceBatch) -> InstanceBatch:
    """The pairs of label 0, the first half of them given label 1."""
    kept = np.flatnonzero(batch.next_sentence_labels == 0)
    present = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    values = {name: value[kept] for name, value in present.items() if value is not None}
    return InstanceBatch(**values | {"next_sentence_labels": (np.arange(len(kept)) < len(kept) // 2).astype(np.int64)})


def test_swapped_sentences_are_borne_out_by_the_documents(sound_dataset, tmp_path):
    def mask(settings: Any, plain: list[InstanceBatch]) -> list[InstanceBatch]:
        return masked_batches(settings, [swap_segments(true_pairs(batch)) for batch in plain])

    swapped = make_dataset(tmp_path, sound_dataset.documents, mask)
    swapped.write(objective="sop", label_meanings={"0": "B follows A", "1": "A follows B"})
    found = check(swapped, tokens_dir=str(swapped.tokens_dir))
    assert violated(found) <= {"coverage"}, "half of the pairs are not in it"
    swapped.write(flip_labels(swapped, 0.1), objective="sop", label_meanings={"0": "B follows A", "1": "A follows B"})
    found = check(swapped, tokens_dir=str(swapped.tokens_dir))
    assert {"label 0 is true", "label 1 is true"} <= violated(found)
