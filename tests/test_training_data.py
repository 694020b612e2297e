"""Data as the trainer reads it: batches, masks drawn anew, and what it refuses."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2_contingency, chisquare

from mlm_data.config import MaskingSettings, SettingsError
from mlm_data.examples import decode_example
from mlm_data.manifest import MANIFEST
from mlm_data.masking import prediction_counts
from mlm_data.shards import TRAIN, VALIDATION, read_records
from mlm_data.storage import LocalStorage
from mlm_data.training.dataset import DataNeeds, PretrainingData, check_length, check_masks
from mlm_data.training.workers import Share, this_worker
from tests.finished import VOCABULARY, write_dataset
from tests.tiny_bert import needs_tensorflow

ALPHA = 1e-6
SPECIALS = [VOCABULARY.pad_id, VOCABULARY.cls_id, VOCABULARY.sep_id, VOCABULARY.mask_id]


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("data")
    write_dataset(directory)
    return directory


@pytest.fixture(scope="module")
def data(directory) -> PretrainingData:
    return load(directory)


def load(directory: Path) -> PretrainingData:
    return PretrainingData.load(LocalStorage(), str(directory))


def reader(data, batch_size, **options):
    from mlm_data.training.input import Reader

    return Reader(data, batch_size, **options)


def rows(batch) -> list[bytes]:
    """Each instance of a batch as one value, whatever the order of its features."""
    columns = [np.asarray(batch[name], np.float64).reshape(len(batch["input_mask"]), -1) for name in sorted(batch)]
    return [row.tobytes() for row in np.concatenate(columns, axis=1)]


def rows_on_disk(data, shards) -> list[bytes]:
    paths = [f"{data.directory}/{shard.name}" for shard in shards]
    records = [decode_example(record) for path in paths for record in read_records(LocalStorage(), path)]
    names = {"input_ids": "input_word_ids", "segment_ids": "input_type_ids"}
    return [row for record in records for row in rows({names.get(k, k): v[None] for k, v in record.items()})]


@needs_tensorflow
@pytest.mark.parametrize("flags", [{}, {"feature_names": "v1", "compression": "gzip", "dupe_factor": 3}])
def test_passes_come_one_after_another_each_with_every_instance_once(tmp_path, flags):
    write_dataset(tmp_path, documents=8, **flags)
    data = load(tmp_path)
    passes = [Counter(rows_on_disk(data, shards)) for shards in data.passes(TRAIN)]
    stream = reader(data, 1).training_batches(TRAIN, seed=1, shuffle_buffer=50)
    sizes = [count.total() for count in passes]
    read = [rows(batch)[0] for batch in stream.take(2 * sum(sizes))]
    ends = np.cumsum(sizes * 2).tolist()
    rounds = [read[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert [Counter(one) for one in rounds] == passes * 2
    for one, again in zip(rounds, rounds[len(passes) :], strict=False):
        assert one != again, "shuffled in the same way"
    evaluated = [row for batch in reader(data, 7).evaluation_batches(VALIDATION) for row in rows(batch)]
    assert Counter(evaluated) == Counter(rows_on_disk(data, data.shards(VALIDATION)))


@needs_tensorflow
def test_batches_follow_from_seed_and_number_alone(data, monkeypatch):
    from mlm_data.training import input as training_input
    from mlm_data.training.dynamic_masking import make_masker

    monkeypatch.setattr(training_input, "_GROUP", 1)  # so that a pass has several
    masker = make_masker(data.masking, data.vocabulary)

    def read(first: int, count: int, seed: int = 5) -> list[list[bytes]]:
        batches = reader(data, 30, masker=masker).training_batches(TRAIN, seed=seed, shuffle_buffer=40, first=first)
        return [rows(batch) for batch in batches.take(count)]

    batches = sum(shard.records for shard in data.shards(TRAIN)) // 30
    whole = read(0, 2 * batches + 2)
    for first in range(0, 2 * batches, 7):
        assert read(first, 2) == whole[first : first + 2], first
    assert read(0, 3, seed=6) != whole[:3]


@needs_tensorflow
def test_workers_share_each_batch(data):
    def read(share: Share) -> list[list[bytes]]:
        batches = reader(data, 12, share=share).training_batches(TRAIN, seed=5, shuffle_buffer=40)
        return [rows(batch) for batch in batches.take(3)]

    whole, parts = read(Share()), [read(Share(index, 3)) for index in range(3)]
    assert [sorted(batch) for batch in whole] == [sorted(itertools.chain(*some)) for some in zip(*parts, strict=True)]
    assert all(len(batch) == 4 for part in parts for batch in part)


def mask_again(data, batch, seed: int, masking: MaskingSettings | None = None):
    import tensorflow as tf

    from mlm_data.training.dynamic_masking import make_masker

    masked = make_masker(masking or data.masking, data.vocabulary)(batch, tf.constant([seed, 1], tf.int64))
    return {name: value.numpy() for name, value in masked.items()}


def unmasked(batch) -> np.ndarray:
    ids = np.array(batch["input_word_ids"])
    used = np.asarray(batch["masked_lm_weights"]) > 0
    ids[np.nonzero(used)[0], np.asarray(batch["masked_lm_positions"])[used]] = np.asarray(batch["masked_lm_ids"])[used]
    return ids


@pytest.fixture(scope="module")
def batch(data):
    return next(iter(reader(data, 300).training_batches(TRAIN, seed=1, shuffle_buffer=1000)))


@needs_tensorflow
@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 0.5), st.integers(1, 13), st.integers(0, 2**31))
def test_new_masks_keep_the_generators_promises(data, batch, prob, slots, seed):
    masking = MaskingSettings(masked_lm_prob=prob, max_predictions_per_seq=slots)
    masked = mask_again(data, batch, seed, masking)
    used, positions = masked["masked_lm_weights"] > 0, masked["masked_lm_positions"]
    lengths = np.asarray(batch["input_mask"]).sum(axis=1)
    counts = prediction_counts(lengths, masking)
    assert (used == (np.arange(slots) < counts[:, None])).all()
    assert (positions[~used] == 0).all()
    assert (masked["masked_lm_ids"][~used] == 0).all()
    assert (np.diff(positions, axis=1)[used[:, 1:]] > 0).all()
    assert not np.isin(masked["masked_lm_ids"][used], SPECIALS).any()
    assert (positions < lengths[:, None])[used].all()
    assert (unmasked(masked) == unmasked(batch)).all(), "a token changed that is not predicted, or is forgotten"


@needs_tensorflow
def test_new_masks_follow_the_generators_law(data, batch):
    draws = [mask_again(data, batch, seed) for seed in range(60)]
    used = [draw["masked_lm_weights"] > 0 for draw in draws]
    now = np.concatenate(
        [
            np.take_along_axis(d["input_word_ids"], d["masked_lm_positions"], 1)[u]
            for d, u in zip(draws, used, strict=True)
        ]
    )
    originals = np.concatenate([draw["masked_lm_ids"][u] for draw, u in zip(draws, used, strict=True)])
    ordinary = VOCABULARY.ordinary_ids
    for count, share in (
        ((now == VOCABULARY.mask_id).sum(), 0.8),
        ((now == originals).sum(), 0.1 + 0.1 / len(ordinary)),
    ):
        assert binomtest(int(count), len(now), share).pvalue > ALPHA
    randoms = np.bincount(now[(now != VOCABULARY.mask_id) & (now != originals)], minlength=len(VOCABULARY))
    assert np.delete(randoms, ordinary).sum() == 0
    assert chisquare(randoms[ordinary]).pvalue > ALPHA
    # Of one row, each candidate has the same chance.
    ids = unmasked(batch)[0]
    candidates = np.flatnonzero(~np.isin(ids, SPECIALS))
    chosen = np.concatenate([draw["masked_lm_positions"][0][u[0]] for draw, u in zip(draws, used, strict=True)])
    assert chisquare(np.bincount(chosen, minlength=32)[candidates]).pvalue > ALPHA
    assert (mask_again(data, batch, 3)["input_word_ids"] == draws[3]["input_word_ids"]).all()


@needs_tensorflow
def test_new_masks_are_as_those_of_tensorflow_text(data, batch):
    tf_text = pytest.importorskip("tensorflow_text", reason="tensorflow-text is not installed")
    import tensorflow as tf

    tf.random.set_seed(1)
    ids, full = unmasked(batch), np.asarray(batch["input_mask"]).all(axis=1)  # where both choose 5
    text = tf.RaggedTensor.from_tensor(tf.boolean_mask(ids, full))
    selector = tf_text.RandomItemSelector(5, 0.15, SPECIALS)
    chooser = tf_text.MaskValuesChooser(len(VOCABULARY), VOCABULARY.mask_id, 0.8, 0.1)
    kinds, places = np.zeros((2, 3)), np.zeros((2, 32))
    for seed in range(3):
        ours = mask_again(data, batch, seed)
        hidden, positions, _ = (
            some.to_tensor().numpy() for some in tf_text.mask_language_model(text, selector, chooser)
        )
        chosen = [(ours["input_word_ids"][full], ours["masked_lm_positions"][full]), (hidden, positions)]
        for number, (after, where) in enumerate(chosen):
            before, now = (np.take_along_axis(some, where, 1) for some in (ids[full], after))
            kinds[number] += [(now == VOCABULARY.mask_id).sum(), (now == before).sum(), now.size]
            places[number] += np.bincount(where.ravel(), minlength=32)
    kinds[:, 2] -= kinds[:, :2].sum(axis=1)
    assert chi2_contingency(kinds).pvalue > ALPHA
    assert chi2_contingency(places[:, places.sum(axis=0) > 0]).pvalue > ALPHA


def test_a_directory_without_a_finished_dataset_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"holds no manifest\.json; expected a finished dataset"):
        load(tmp_path)
    write_dataset(tmp_path)
    (tmp_path / "vocab.txt").write_bytes(VOCABULARY.content + b"more\n")
    with pytest.raises(SettingsError, match=r"vocab\.txt has sha256"):
        load(tmp_path)
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(SettingsError, match="is damaged"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("vocab_size", 999, "vocab_size 504; expected 999"),
        ("vocab_sha256", "0" * 64, "vocab_sha256 .*; expected 000"),
        ("do_lower_case", False, "do_lower_case True; expected False"),
        ("label_meanings", {"0": "other"}, "label_meanings .*B follows A.*; expected .*other"),
    ],
)
def test_data_of_another_meaning_is_refused(data, name, value, message):
    DataNeeds.of(data).check(data)
    with pytest.raises(SettingsError, match=message):
        dataclasses.replace(DataNeeds.of(data), **{name: value}).check(data)


def test_data_without_labels_says_nothing_else_by_them(data):
    manifest = dataclasses.replace(data.manifest, objective="mlm", label_meanings={})
    unlabelled = dataclasses.replace(data, manifest=manifest)
    DataNeeds.of(data).check(unlabelled)
    with pytest.raises(SettingsError, match=r"has label_meanings .*; expected \{\}"):
        DataNeeds.of(unlabelled).check(data)


def test_instances_that_cannot_be_learnt_from_are_refused(data):
    check_length(data, 32)
    with pytest.raises(SettingsError, match="instances of 32 tokens; expected at most 31"):
        check_length(data, 31)
    bare = dataclasses.replace(data, manifest=dataclasses.replace(data.manifest, masking="none"))
    check_masks(bare, "dynamic")
    with pytest.raises(SettingsError, match="has no masks; draw them in training with --masking dynamic"):
        check_masks(bare, "static")
    with pytest.raises(SettingsError, match="no instances in its split test; expected one of train, validation"):
        data.shards("test")


def test_tf_config_says_which_worker_this_is(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert this_worker() == Share(0, 1)
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    for task, share in ((("chief", 0), Share(0, 3)), (("worker", 0), Share(1, 3)), (("worker", 1), Share(2, 3))):
        content = {"cluster": cluster, "task": dict(zip(("type", "index"), task, strict=True))}
        monkeypatch.setenv("TF_CONFIG", json.dumps(content))
        assert this_worker() == share
    for content, message in (
        ("{", "is not understood"),
        (json.dumps({"cluster": {"ps": ["d:1"]}}), "parameter servers"),
    ):
        monkeypatch.setenv("TF_CONFIG", content)
        with pytest.raises(SettingsError, match=message):
            this_worker()
