"""The exact invariants of a training record, checked on whole shards at once. Shared by end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mlm_data.examples import FEATURES, decode_example
from mlm_data.manifest import Manifest
from mlm_data.shards import read_records
from mlm_data.storage import LocalStorage
from mlm_data.vocabulary import Vocabulary


def read_manifest(directory: Path) -> Manifest:
    return Manifest.from_json((directory / "manifest.json").read_bytes())


def read_vocabulary(directory: Path) -> Vocabulary:
    return Vocabulary.parse((directory / "vocab.txt").read_bytes(), "vocab.txt")


def read_columns(directory: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """All records of the named shards as one array per feature, by v2 names."""
    records = [
        decode_example(record) for name in names for record in read_records(LocalStorage(), str(directory / name))
    ]
    present = [feature.v2 for feature in FEATURES if feature.v2 in records[0]]
    assert all(len(record) == len(present) for record in records)
    return {name: np.stack([record[name] for record in records]) for name in present}


def check_exact_invariants(
    columns: dict[str, np.ndarray],
    vocabulary: Vocabulary,
    *,
    masked_lm_prob: float,
    slots: int,
    masking: str = "token",
) -> None:
    """Every invariant that holds for each record alone; without labels an instance is one segment."""
    ids, mask, types = columns["input_word_ids"], columns["input_mask"], columns["input_type_ids"]
    positions, originals = columns["masked_lm_positions"], columns["masked_lm_ids"]
    used = columns["masked_lm_weights"] == 1
    rows, width = ids.shape
    column = np.arange(width)

    lengths = mask.sum(axis=1)
    assert (mask == (column < lengths[:, None])).all(), "input_mask is 1...10...0"
    assert (ids[mask == 0] == vocabulary.pad_id).all()
    assert (types[mask == 0] == 0).all()

    assert (ids[:, 0] == vocabulary.cls_id).all()
    counts = used.sum(axis=1)
    assert (used == (np.arange(slots) < counts[:, None])).all(), "weights are 1...10...0"
    row = np.nonzero(used)[0]
    restored = ids.copy()  # at par with google-research/bert, a random token may be [SEP]
    restored[row, positions[used]] = originals[used]
    separators = (restored == vocabulary.sep_id) & (mask == 1)
    assert separators[np.arange(rows), lengths - 1].all()
    assert not separators[:, 1].any(), "A is empty"
    assert not (separators[:, 1:] & separators[:, :-1]).any(), "B, or a document's part, is empty"
    if "next_sentence_labels" in columns:
        assert (separators.sum(axis=1) == 2).all(), "[SEP] stands twice and is never inside a segment"
        first = separators.argmax(axis=1)
        assert (types == ((column > first[:, None]) & (mask == 1))).all()
        labels = columns["next_sentence_labels"]
        assert labels.shape == (rows, 1)
        assert np.isin(labels, [0, 1]).all()
    else:
        assert not types.any()

    assert ((columns["masked_lm_weights"] == 0) | used).all()
    assert (positions[~used] == 0).all()
    assert (originals[~used] == 0).all()
    budgets = np.array([min(slots, max(1, round(masked_lm_prob * n))) for n in lengths.tolist()])
    if masking == "token":
        assert (counts == budgets).all()
    else:
        assert (counts >= 1).all()
        assert (counts <= budgets).all()
    assert (np.diff(positions, axis=1)[used[:, 1:]] > 0).all(), "positions ascend"
    assert not separators[row, positions[used]].any()
    assert (positions[used] > 0).all()
    assert (positions[used] < (lengths - 1)[row]).all()

    predicted = np.zeros_like(ids, dtype=bool)
    predicted[row, positions[used]] = True
    assert predicted[ids == vocabulary.mask_id].all(), "every [MASK] is to be predicted"
    inside = (mask == 1) & ~separators & (column > 0)
    special = [vocabulary.pad_id, vocabulary.cls_id, vocabulary.sep_id, vocabulary.mask_id]
    assert not np.isin(restored[inside], special).any()
    if masking != "token":
        _check_words(inside, vocabulary.is_continuation[restored], predicted, budgets)


def _check_words(inside: np.ndarray, continues: np.ndarray, predicted: np.ndarray, budgets: np.ndarray) -> None:
    """Words are predicted whole or not at all, but where all of an instance are longer than its budget."""
    joined = np.zeros_like(inside)
    joined[:, 1:] = continues[:, 1:] & inside[:, 1:] & inside[:, :-1]
    cut = (joined[:, 1:] & (predicted[:, 1:] != predicted[:, :-1])).any(axis=1)
    for row in np.flatnonzero(cut):
        lengths = np.bincount(np.cumsum(inside[row] & ~joined[row])[inside[row]])[1:]
        assert lengths.min() > budgets[row], "a word is predicted in part"
