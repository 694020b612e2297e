"""Sound datasets pass; a dataset spoilt in any way is caught, by the check whose business it is."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlm_data.examples import encode_batch
from mlm_data.inspection import RequestError
from mlm_data.records import InstanceBatch
from mlm_data.shards import ShardError, shard_name, write_shard
from mlm_data.validation import Verdict, Verification, verify
from tests.datasets import (
    STORAGE,
    VOCABULARY,
    Columns,
    Dataset,
    encode_columns,
    join_records,
    make_dataset,
    masked_batches,
)
from tests.making import FIRST_ORDINARY, random_documents

SEEDS = int(os.environ.get("SEEDS", "10"))
PAD, CLS, SEP, MASK = VOCABULARY.pad_id, VOCABULARY.cls_id, VOCABULARY.sep_id, VOCABULARY.mask_id
UNUSED = VOCABULARY.pieces.index("[unused7]")


def check(dataset: Dataset, **options: Any) -> Verification:
    return verify([str(dataset.directory)], STORAGE, processes=1, **options)


def violated(verification: Verification) -> set[str]:
    return {found.name for found in verification.having(Verdict.VIOLATED)}


def detail(verification: Verification, name: str) -> str:
    (found,) = [found for found in verification.checks if found.name == name]
    return found.detail


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("template"))


@pytest.fixture
def dataset(template, tmp_path) -> Dataset:
    """A sound dataset, free to be spoilt."""
    shutil.copytree(template.directory, tmp_path / "out")
    return dataclasses.replace(template, directory=tmp_path / "out")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_sound_datasets_pass_whatever_the_seed(tmp_path, seed):
    sound = make_dataset(tmp_path, random_seed=seed)
    found = check(sound, tokens_dir=str(sound.tokens_dir))
    assert violated(found) == set(), found.summary()
    assert {one.name for one in found.having(Verdict.NOT_MADE)} == {"statistics", "documents", "whole words"}


def test_the_number_of_processes_changes_nothing(dataset, monkeypatch):
    monkeypatch.setattr("mlm_data.validation.verification._BYTES_WORTH_A_PROCESS", 1)
    dataset.spoil(3, lambda columns: columns["next_sentence_labels"].fill(1))
    options = {"tokens_dir": str(dataset.tokens_dir)}
    two = verify([str(dataset.directory)], STORAGE, processes=2, **options)
    assert two == check(dataset, **options)
    assert violated(two) == {"label 1 in the documents", "label share", "label share by shard"}


@dataclasses.dataclass(frozen=True)
class Spot:
    """A record to spoil: its row, its tokens n, tokens of type 0, predictions k, and a place nothing is predicted at."""

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
    dataset.write({3: join_records(records)})
    found = check(dataset)
    assert violated(found) == {"features"}
    assert detail(found, "features") == f"first: {dataset.names[3]}:7"


def test_a_record_that_is_none_is_caught_and_placed(dataset):
    records = encode_columns(dataset.columns(3))
    records[7] = b"\xff\xff"
    dataset.write({3: join_records(records)})
    found = check(dataset)
    assert violated(found) == {"features"}
    assert detail(found, "features") == f"first: {dataset.names[3]}:7"


@pytest.mark.parametrize(
    "changes", [{"feature_names": "v1"}, {"max_seq_length": 128}, {"max_predictions_per_seq": 20}, {"label_meanings": {}}]
)
def test_features_are_those_of_the_manifest(dataset, changes):
    dataset.write(**changes)
    assert "features" in violated(check(dataset))


def test_a_repeated_record_is_caught_and_placed(dataset):
    columns = dataset.columns(3)
    (full, *_) = np.flatnonzero(columns["input_mask"].all(axis=1)).tolist()
    records = encode_columns(columns)
    records[-1] = records[full]
    dataset.write({3: join_records(records)})
    found = check(dataset)
    assert violated(found) <= {"repeated records", "label share by shard"}
    assert detail(found, "repeated records") == f"first: {dataset.names[3]}:{len(records) - 1}"


def flip_a_byte(dataset: Dataset) -> None:
    path = dataset.directory / dataset.names[3]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_a_file(dataset: Dataset) -> None:
    path = dataset.directory / dataset.names[3]
    path.write_bytes(path.read_bytes()[:-5])


def lose_a_shard(dataset: Dataset) -> None:
    (dataset.directory / dataset.names[3]).unlink()


def leave_an_old_shard(dataset: Dataset) -> None:
    name = shard_name("train", 7, 8)
    shutil.copy(dataset.directory / dataset.names[3], dataset.directory / name)


def copy_a_shard(dataset: Dataset) -> None:
    dataset.write({3: encode_batch(dataset.batches[1])})


def copy_and_shuffle_a_shard(dataset: Dataset) -> None:
    columns = dataset.columns(1)
    order = np.random.default_rng(0).permutation(len(columns["input_mask"]))
    dataset.write({3: join_records(encode_columns({name: values[order] for name, values in columns.items()}))})


def miscount_a_shard(dataset: Dataset) -> None:
    change_manifest(dataset, "records", lambda records: records + 1)


def missum_a_shard(dataset: Dataset) -> None:
    change_manifest(dataset, "sha256", lambda digest: "0" * 64)


def change_manifest(dataset: Dataset, name: str, change: Callable[[Any], Any]) -> None:
    path = dataset.directory / "manifest.json"
    manifest = json.loads(path.read_text())
    shard = manifest["shards"]["train"][3]
    shard[name] = change(shard[name])
    path.write_text(json.dumps(manifest))


def swap_records(dataset: Dataset) -> dict[int, Any]:
    """Two records of two buckets, each in the place of the other."""
    one, other = (encode_columns(dataset.columns(shard)) for shard in (2, 3))
    one[5], other[5] = other[5], one[5]
    return {2: join_records(one), 3: join_records(other)}


def swap_without_telling(dataset: Dataset) -> None:
    for shard, records in swap_records(dataset).items():
        write_shard(STORAGE, str(dataset.directory), dataset.names[shard], [records])


@pytest.mark.parametrize(
    ("spoil", "name", "words"),
    [
        (flip_a_byte, "files", "the checksum"),
        (cut_a_file, "files", "ends within a record"),
        (lose_a_shard, "files", "No such file"),
        (lose_a_shard, "set of shards", "missing: train-00003-of-00006.tfrecord"),
        (leave_an_old_shard, "set of shards", "not of the set: train-00007-of-00008.tfrecord"),
        (copy_a_shard, "distinct shards", "train-00003-of-00006.tfrecord holds the records of train-00001"),
        (copy_and_shuffle_a_shard, "distinct shards", "holds the records of train-00001"),
        (miscount_a_shard, "manifest", "train-00003-of-00006.tfrecord: records "),
        (missum_a_shard, "manifest", "sha256 "),
        (swap_without_telling, "manifest", "train-00002-of-00006.tfrecord: "),
    ],
)
def test_spoilt_files_are_caught_and_named(dataset, spoil, name, words):
    spoil(dataset)
    found = check(dataset)
    assert name in violated(found)
    assert words in detail(found, name)


def test_another_vocabulary_of_the_same_size_is_caught(dataset, tmp_path):
    other = tmp_path / "other.txt"
    other.write_bytes(VOCABULARY.content.replace(b"w1\n", b"x1\n"))
    assert violated(check(dataset, vocab_file=str(other))) == {"vocabulary"}


def flip_labels(dataset: Dataset, share: float) -> dict[int, Any]:
    """As many labels of either kind, so that half of them stay 1."""
    columns, rng = dataset.columns(3), np.random.default_rng(0)
    labels = columns["next_sentence_labels"][:, 0]
    flipped = [rng.permutation(np.flatnonzero(labels == one))[: int(share * len(labels) / 2)] for one in (0, 1)]
    labels[np.concatenate(flipped)] ^= 1
    return {3: join_records(encode_columns(columns))}


def take_b_from_the_same_document(dataset: Dataset) -> dict[int, Any]:
    """One true pair said to be random, and one random pair made a true one, so that half of them stay 1."""
    columns = dataset.columns(3)
    labels = columns["next_sentence_labels"][:, 0]
    labels[np.flatnonzero(labels == 0)[0]] = 1
    sound = dataset.columns(5)  # of the same bucket
    row = int(np.flatnonzero(sound["next_sentence_labels"][:, 0] == 0)[3])
    for name, values in columns.items():
        values[np.flatnonzero(labels == 1)[-1]] = sound[name][row]
    return {3: join_records(encode_columns(columns))}


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (lambda dataset: flip_labels(dataset, 0.02), {"label 0 in the documents", "label 1 in the documents"}),
        (take_b_from_the_same_document, {"label 1 in the documents"}),
        (swap_records, {"label 0 in the documents", "label 1 in the documents"}),
    ],
)
def test_labels_that_are_not_true_are_caught_with_the_documents(dataset, spoil, names):
    dataset.write(spoil(dataset))
    found = check(dataset, tokens_dir=str(dataset.tokens_dir))
    assert violated(found)
    assert violated(found) <= names
    assert violated(check(dataset)) == set(), "without the documents nobody can tell"


def test_a_missing_document_is_caught(template, tmp_path):
    some = make_dataset(tmp_path, template.documents[:17] + template.documents[18:])
    found = check(some, tokens_dir=str(some.tokens_dir))
    assert violated(found) == set()
    shutil.copy(template.tokens_dir / "tokens-00000.arrow", some.tokens_dir / "tokens-00000.arrow")
    found = check(some, tokens_dir=str(some.tokens_dir))
    assert violated(found) == {"coverage"}
    assert detail(found, "coverage") == "missing: d17, document 0"


# What single records do not show: masks and labels that follow another law. Seen only in thousands of records.


def is_candidate(batch: InstanceBatch) -> np.ndarray:
    column = np.arange(batch.input_word_ids.shape[1])
    return (column < batch.lengths[:, None]) & ~np.isin(batch.input_word_ids, (CLS, SEP))


def mask_otherwise(
    weigh: Callable[[InstanceBatch, np.random.Generator], np.ndarray] | None = None,
    shares: tuple[float, float] = (0.8, 0.1),
    random_ids: np.ndarray = VOCABULARY.ordinary_ids,
) -> Callable[[Any, list[InstanceBatch]], list[InstanceBatch]]:
    """Masks token by token; the smallest of exponential scores divided by weights are chosen."""

    def mask(settings: Any, plain: list[InstanceBatch]) -> list[InstanceBatch]:
        rng = np.random.default_rng(7)
        slots = settings.masking.max_predictions_per_seq
        return [_mask_one(batch, slots, rng, weigh, shares, random_ids) for batch in plain]

    return mask


def _mask_one(batch, slots, rng, weigh, shares, random_ids) -> InstanceBatch:
    scores = weigh(batch, rng) if weigh else rng.random(batch.input_word_ids.shape)
    scores = np.where(is_candidate(batch), scores, np.inf)
    counts = np.clip(np.rint(0.15 * batch.lengths), 1, slots).astype(np.int32)
    used = np.arange(slots) < counts[:, None]
    positions = np.sort(np.where(used, np.argsort(scores, axis=1)[:, :slots], 10**6), axis=1)
    positions = np.where(used, positions, 0)
    originals = np.where(used, np.take_along_axis(batch.input_word_ids, positions, axis=1), 0)
    draw = rng.random(positions.shape)
    randoms = rng.choice(random_ids, positions.shape)
    now = np.where(draw < shares[0], MASK, np.where(draw < sum(shares), randoms, originals))
    ids = batch.input_word_ids.copy()
    rows = np.nonzero(used)[0]
    ids[rows, positions[used]] = now[used]
    return dataclasses.replace(
        batch,
        input_word_ids=ids,
        masked_lm_positions=positions.astype(np.int32),
        masked_lm_ids=originals.astype(np.int32),
        masked_lm_counts=counts,
    )


def avoid_first_tokens(batch: InstanceBatch, rng: np.random.Generator) -> np.ndarray:
    scores = rng.random(batch.input_word_ids.shape)
    scores[:, :4] += 1
    return scores


def prefer_short_words(batch: InstanceBatch, rng: np.random.Generator) -> np.ndarray:
    continues = VOCABULARY.is_continuation[batch.input_word_ids]
    is_long = continues | np.roll(continues, -1, axis=1)
    return rng.exponential(size=continues.shape) * np.where(is_long, 1.2, 1)


def repeat_masks(batch: InstanceBatch, rng: np.random.Generator) -> np.ndarray:
    """The same text, the same scores."""
    ids = batch.input_word_ids.astype(np.uint32)
    mixed = (np.roll(ids, 1, axis=1) * np.uint32(31) + ids) * np.uint32(2_654_435_761)
    return mixed / 2**32


def repeat_some_masks(batch: InstanceBatch, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(len(batch))[:, None] < 0.2, repeat_masks(batch, rng), rng.random(batch.input_word_ids.shape))


FREQUENT = np.concatenate([VOCABULARY.ordinary_ids, np.repeat(VOCABULARY.ordinary_ids[:20], 4)])


@pytest.mark.parametrize(
    ("mask", "names"),
    [
        (mask_otherwise(), set()),
        (mask_otherwise(shares=(0.78, 0.1)), {"replacements"}),
        (mask_otherwise(shares=(0.82, 0.08)), {"replacements"}),
        (mask_otherwise(shares=(0.8, 0.12)), {"replacements"}),
        (mask_otherwise(random_ids=VOCABULARY.ordinary_ids[:200]), {"spread of random tokens"}),
        (mask_otherwise(random_ids=VOCABULARY.ordinary_ids[::2]), {"spread of random tokens"}),
        (mask_otherwise(random_ids=FREQUENT), {"spread of random tokens"}),
        (mask_otherwise(avoid_first_tokens), {"selection by position"}),
        (mask_otherwise(prefer_short_words), {"selection by word length"}),
        (mask_otherwise(repeat_masks), {"masks of two passes"}),
        (mask_otherwise(repeat_some_masks), {"masks of two passes"}),
    ],
)
def test_masks_of_another_law_are_caught(tmp_path, mask, names):
    documents = random_documents(600, sentences=(2, 30), words=(1, 20))
    assert violated(check(make_dataset(tmp_path, documents, mask))) == names


def test_words_masked_in_part_are_caught_where_the_manifest_says_they_are_not(dataset):
    dataset.write(masking="whole_word")
    assert violated(check(dataset)) == {"whole words"}


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Dataset:
    """Some ten thousand records."""
    documents = random_documents(1500, sentences=(2, 30), words=(1, 20))
    return make_dataset(tmp_path_factory.mktemp("many"), documents)


def surface(batch: InstanceBatch, what: str) -> np.ndarray:
    """Which records have something that shows without reading them."""
    b_lengths = batch.lengths - batch.a_lengths
    last = batch.input_word_ids[np.arange(len(batch)), batch.lengths - 2]
    return {
        "nothing": np.zeros(len(batch), np.bool_),
        "short A": batch.a_lengths < np.median(batch.a_lengths),
        "short B": b_lengths < np.median(b_lengths),
        "padding": batch.lengths < batch.input_word_ids.shape[1],
        "last piece": last % 2 == 0,
    }[what]


def relabel(dataset: Dataset, what: str, strength: float, share: float = 0.5) -> dict[int, Any]:
    """Gives label 1 to a share of each shard, rather to those that have more of something."""
    changed, rng = {}, np.random.default_rng(0)
    for number, batch in enumerate(dataset.batches):
        scores = strength * surface(batch, what) + rng.random(len(batch))
        labels = np.zeros(len(batch), np.int64)
        labels[np.argsort(-scores, kind="stable")[: round(share * len(batch))]] = 1
        changed[number] = encode_batch(dataclasses.replace(batch, next_sentence_labels=labels))
    return changed


@pytest.mark.parametrize(
    ("what", "strength", "share", "names"),
    [
        ("nothing", 0, 0.5, set()),
        ("nothing", 0, 0.53, {"label share", "label share by shard"}),
        ("nothing", 0, 0.505, {"label share by shard"}),
        ("short A", 0.3, 0.5, {"label share by |A|", "label share by |B|", "label share by length", "surface probe"}),
        ("short B", 0.3, 0.5, {"label share by |A|", "label share by |B|", "label share by length", "surface probe"}),
        ("padding", 0.3, 0.5, {"label share by |A|", "label share by |B|", "label share by length", "surface probe"}),
        ("last piece", 0.5, 0.5, {"surface probe"}),
    ],
)
def test_labels_of_another_law_are_caught(many, what, strength, share, names):
    many.write(relabel(many, what, strength, share))
    assert violated(check(many)) == names
