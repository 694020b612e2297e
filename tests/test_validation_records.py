"""A record spoilt in any way is caught, by the check whose business it is, and placed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlm_data.records import EncodedBatch
from mlm_data.validation import Verdict
from tests.datasets import (
    CLS,
    MASK,
    PAD,
    SEP,
    VOCABULARY,
    Columns,
    check,
    detail,
    encode_columns,
    not_made,
    violated,
)
from tests.making import FIRST_ORDINARY

UNUSED = VOCABULARY.pieces.index("[unused7]")


@dataclasses.dataclass(frozen=True)
class Spot:
    """A record to spoil: its row, tokens n, tokens of type 0, predictions k, and a place where nothing is predicted."""

    row: int
    length: int
    a_length: int
    count: int
    free: int


def find_spot(columns: Columns) -> Spot:
    """The first record with room on all sides."""
    lengths, b_lengths = columns["input_mask"].sum(axis=1), columns["input_type_ids"].sum(axis=1)
    counts = columns["masked_lm_weights"].sum(axis=1).astype(int)
    row = int(
        np.flatnonzero((lengths < 56) & (counts > 3) & (b_lengths > 8) & (lengths - b_lengths > 8) & (counts < 9))[0]
    )
    predicted = columns["masked_lm_positions"][row, : counts[row]]
    free = next(place for place in range(2, 64) if place not in predicted)
    return Spot(row, int(lengths[row]), int(lengths[row] - b_lengths[row]), int(counts[row]), free)


def put(name: str, place: Callable[[Spot], int], value: int | float) -> Callable[[Columns, Spot], None]:
    """Writes one value."""

    def change(columns: Columns, spot: Spot) -> None:
        columns[name] = columns[name].astype(columns[name].dtype if name == "masked_lm_weights" else np.int64)
        columns[name][spot.row, place(spot)] = value

    return change


def swap_predictions(columns: Columns, spot: Spot) -> None:
    for name in ("masked_lm_positions", "masked_lm_ids"):
        columns[name][spot.row, [0, 1]] = columns[name][spot.row, [1, 0]]


def predict_twice(columns: Columns, spot: Spot) -> None:
    for name in ("masked_lm_positions", "masked_lm_ids"):
        columns[name][spot.row, 1] = columns[name][spot.row, 0]


def predict_one_less(columns: Columns, spot: Spot) -> None:
    last = spot.count - 1
    position = columns["masked_lm_positions"][spot.row, last]
    columns["input_word_ids"][spot.row, position] = columns["masked_lm_ids"][spot.row, last]
    for name in ("masked_lm_positions", "masked_lm_ids", "masked_lm_weights"):
        columns[name][spot.row, last] = 0


def predict_one_more(columns: Columns, spot: Spot) -> None:
    used = columns["masked_lm_positions"][spot.row, : spot.count].tolist()
    positions = sorted([*used, spot.free])
    originals = dict(zip(used, columns["masked_lm_ids"][spot.row, : spot.count].tolist(), strict=True))
    originals[spot.free] = columns["input_word_ids"][spot.row, spot.free]
    columns["masked_lm_positions"][spot.row, : spot.count + 1] = positions
    columns["masked_lm_ids"][spot.row, : spot.count + 1] = [originals[position] for position in positions]
    columns["masked_lm_weights"][spot.row, spot.count] = 1


def replace_by(token: int) -> Callable[[Columns, Spot], None]:
    def change(columns: Columns, spot: Spot) -> None:
        columns["input_word_ids"][spot.row, columns["masked_lm_positions"][spot.row, 1]] = token

    return change


def cut_before_separator(columns: Columns, spot: Spot) -> None:
    columns["input_word_ids"][spot.row, spot.length - 1] = PAD
    columns["input_mask"][spot.row, spot.length - 1] = columns["input_type_ids"][spot.row, spot.length - 1] = 0


def empty_second_segment(columns: Columns, spot: Spot) -> None:
    end = spot.a_length + 1
    for name, value in (("input_word_ids", PAD), ("input_mask", 0), ("input_type_ids", 0)):
        columns[name][spot.row, end:] = value
    columns["input_word_ids"][spot.row, end - 1] = SEP


def predict_separator(columns: Columns, spot: Spot) -> None:
    positions = columns["masked_lm_positions"][spot.row]
    slot = int(np.searchsorted(positions[: spot.count], spot.a_length - 1))
    slot = min(slot, spot.count - 1)
    positions[slot] = spot.a_length - 1
    columns["masked_lm_ids"][spot.row, slot] = SEP


# What is done to one record, and the check that has to tell.
SPOILT_RECORDS = {
    "a hole in the mask": ("input mask", put("input_mask", lambda spot: 3, 0)),
    "a mask of 2": ("input mask", put("input_mask", lambda spot: 3, 2)),
    "a token in the padding": ("padding", put("input_word_ids", lambda spot: spot.length, FIRST_ORDINARY)),
    "padding of type 1": ("type ids of padding", put("input_type_ids", lambda spot: 63, 1)),
    "A one longer than its text": ("[SEP]", put("input_type_ids", lambda spot: spot.a_length, 0)),
    "A one shorter than its text": ("[SEP]", put("input_type_ids", lambda spot: spot.a_length - 1, 1)),
    "a hole in the type ids": ("type ids", put("input_type_ids", lambda spot: spot.length - 2, 0)),
    "type 2": ("type ids", put("input_type_ids", lambda spot: spot.length - 2, 2)),
    "no [CLS]": ("[CLS]", put("input_word_ids", lambda spot: 0, FIRST_ORDINARY)),
    "the text cut before its [SEP]": ("[SEP]", cut_before_separator),
    "two [SEP] side by side": ("segments", empty_second_segment),
    "[CLS] in the text": ("restored text", put("input_word_ids", lambda spot: spot.free, CLS)),
    "[SEP] in the text": ("restored text", put("input_word_ids", lambda spot: spot.free, SEP)),
    "[PAD] in the text": ("restored text", put("input_word_ids", lambda spot: spot.free, PAD)),
    "[MASK] not predicted": ("[MASK]", put("input_word_ids", lambda spot: spot.free, MASK)),
    "[MASK] predicted": ("restored text", put("masked_lm_ids", lambda spot: 1, MASK)),
    "[CLS] predicted": ("places of positions", put("masked_lm_positions", lambda spot: 0, 0)),
    "[SEP] predicted": ("places of positions", predict_separator),
    "the last [SEP] predicted": ("places of positions", put("masked_lm_positions", lambda spot: spot.count - 1, 63)),
    "a position outside": ("places of positions", put("masked_lm_positions", lambda spot: spot.count - 1, 64)),
    "a position far outside": ("places of positions", put("masked_lm_positions", lambda spot: spot.count - 1, 10**6)),
    "positions out of order": ("order of positions", swap_predictions),
    "a position twice": ("order of positions", predict_twice),
    "weight 0 at a used slot": ("weights", put("masked_lm_weights", lambda spot: 1, 0)),
    "weight a half": ("weights", put("masked_lm_weights", lambda spot: 1, 0.5)),
    "a position in an unused slot": ("unused slots", put("masked_lm_positions", lambda spot: 9, 5)),
    "an id in an unused slot": ("unused slots", put("masked_lm_ids", lambda spot: 9, FIRST_ORDINARY)),
    "one prediction too few": ("number of predictions", predict_one_less),
    "one prediction too many": ("number of predictions", predict_one_more),
    "[unused7] as a random token": ("random tokens", replace_by(UNUSED)),
    "[PAD] as a random token": ("random tokens", replace_by(PAD)),
    "[SEP] as a random token": ("random tokens", replace_by(SEP)),
    "[UNK] as a random token": ("random tokens", replace_by(VOCABULARY.unk_id)),
    "an id past the vocabulary": ("ids", put("input_word_ids", lambda spot: spot.free, len(VOCABULARY))),
    "an id past the vocabulary, hidden": ("ids", put("masked_lm_ids", lambda spot: 1, len(VOCABULARY))),
    "a negative id": ("ids", put("input_word_ids", lambda spot: spot.free, -1)),
    "label 2": ("labels", put("next_sentence_labels", lambda spot: 0, 2)),
}


@pytest.mark.parametrize("what", sorted(SPOILT_RECORDS))
def test_a_spoilt_record_is_caught_and_placed(dataset, what):
    name, change = SPOILT_RECORDS[what]
    spot = find_spot(dataset.columns(3))
    dataset.spoil(3, lambda columns: change(columns, spot))
    found = check(dataset)
    assert name in violated(found)
    assert detail(found, name) == f"first: {dataset.names[3]}:{spot.row}"
    # One record is no statistics: everything else that is violated is a rule for single records.
    assert not any("p =" in one.detail for one in found.having(Verdict.VIOLATED))


def drop_a_feature(values: Columns) -> None:
    del values["masked_lm_weights"]


def rename_features(values: Columns) -> None:
    values["input_ids"], values["segment_ids"] = values.pop("input_word_ids"), values.pop("input_type_ids")


def widen(values: Columns) -> None:
    values["input_mask"] = np.pad(values["input_mask"], ((0, 0), (0, 1)))


def retype(values: Columns) -> None:
    values["masked_lm_weights"] = values["masked_lm_weights"].astype(np.int64)


@pytest.mark.parametrize("change", [drop_a_feature, rename_features, widen, retype])
def test_a_record_with_other_features_is_caught_and_placed(dataset, change):
    columns = dataset.columns(3)
    records = encode_columns(columns)
    odd = {name: values[7:8] for name, values in columns.items()}
    change(odd)
    records[7] = encode_columns(odd)[0]
    dataset.write({3: EncodedBatch.of(records)})
    found = check(dataset)
    assert violated(found) == {"features"}
    assert detail(found, "features") == f"first: {dataset.names[3]}:7"


def test_a_record_that_is_none_is_caught_and_placed(dataset):
    records = encode_columns(dataset.columns(3))
    records[7] = b"\xff\xff"
    dataset.write({3: EncodedBatch.of(records)})
    found = check(dataset)
    assert violated(found) == {"features"}
    assert detail(found, "features") == f"first: {dataset.names[3]}:7"


@pytest.mark.parametrize(
    "changes",
    [{"feature_names": "v1"}, {"max_seq_length": 128}, {"max_predictions_per_seq": 20}, {"objective": "mlm"}],
)
def test_features_are_those_of_the_manifest(dataset, changes):
    dataset.write(**changes)
    assert "features" in violated(check(dataset))


def test_a_repeated_record_is_caught_and_placed(dataset):
    columns = dataset.columns(3)
    (full, *_) = np.flatnonzero(columns["input_mask"].all(axis=1)).tolist()
    records = encode_columns(columns)
    records[-1] = records[full]
    dataset.write({3: EncodedBatch.of(records)})
    found = check(dataset)
    assert violated(found) <= {"repeated records", "label share by shard"}
    assert detail(found, "repeated records") == f"first: {dataset.names[3]}:{len(records) - 1}"


def without_pairs(columns: Columns) -> None:
    """[CLS] text [SEP] text [SEP], all of type 0: documents that meet in an instance."""
    columns["input_type_ids"][:] = 0
    del columns["next_sentence_labels"]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda columns, spot: None, set()),
        (put("input_word_ids", lambda spot: spot.a_length, SEP), {"segments"}),
        (put("input_word_ids", lambda spot: 1, SEP), {"segments"}),
        (put("input_word_ids", lambda spot: spot.free, CLS), {"restored text"}),
        (put("input_type_ids", lambda spot: spot.free, 1), {"type ids"}),
        (predict_separator, {"restored text"}),
    ],
)
def test_text_without_pairs_has_rules_of_its_own(dataset, change, names):
    spoilt: dict[int, Any] = {}
    for number in range(len(dataset.batches)):
        columns = dataset.columns(number)
        spot = find_spot(columns)
        without_pairs(columns)
        if number == 3:
            change(columns, spot)
        spoilt[number] = EncodedBatch.of(encode_columns(columns))
    dataset.write(spoilt, objective="mlm", label_meanings={})
    found = check(dataset)
    assert names <= violated(found)
    assert names or found.is_sound
    assert not_made(found)["label share"] == "there are no next_sentence_labels"
