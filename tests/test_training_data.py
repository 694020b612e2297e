"""Data as the trainer reads it: batches, and what it refuses."""

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

from mlm_data.config import MaskingSettings, SettingsError
from mlm_data.config.training import DynamicMaskingSettings
from mlm_data.examples import decode_example
from mlm_data.manifest import MANIFEST
from mlm_data.shards import TRAIN, VALIDATION, read_records
from mlm_data.storage import LocalStorage
from mlm_data.training.dataset import DataNeeds, PretrainingData, check_length
from mlm_data.training.workers import WHOLE, Share, this_worker
from tests.finished import VOCABULARY, write_dataset
from tests.tiny_bert import needs_tensorflow


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


LENGTHS = {"sequence_buckets": [12, 20, 32], "objective": "mlm", "mlm_packing": "doc_sentences"}


@needs_tensorflow
@pytest.mark.parametrize("flags", [{}, {"feature_names": "v1", "compression": "gzip", "dupe_factor": 3}, LENGTHS])
def test_passes_come_one_after_another_each_with_every_instance_once(tmp_path, flags):
    write_dataset(tmp_path, documents=8, **flags)
    data = load(tmp_path)
    stream = reader(data, 1).training_batches(TRAIN, seed=1, shuffle_buffer=50)
    read = list(stream.take(2 * data.instances(TRAIN)))
    evaluated = list(reader(data, 7).evaluation_batches(VALIDATION))
    for part in data.by_length(TRAIN):
        passes = [Counter(rows_on_disk(part, shards)) for shards in part.passes(TRAIN)]
        sizes = [count.total() for count in passes]
        mine = list(itertools.chain(*(rows(batch) for batch in read if width(batch) == part.manifest.max_seq_length)))
        ends = np.cumsum(sizes * 2).tolist()
        rounds = [mine[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        assert len(mine) == ends[-1], "each length has its share"
        assert [Counter(one) for one in rounds] == passes * 2
        for one, again in zip(rounds, rounds[len(passes) :], strict=False):
            assert one != again or len(one) < 5, "shuffled in the same way"
    seen = Counter(row for batch in evaluated for row in rows(batch))
    assert seen == Counter(
        row for part in data.by_length(VALIDATION) for row in rows_on_disk(part, part.shards(VALIDATION))
    )


def width(batch) -> int:
    return batch["input_mask"].shape[1]


@needs_tensorflow
@settings(max_examples=8)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.integers(0, 300))
def test_lengths_come_in_proportion_and_can_be_counted(instances, first):
    from mlm_data.training.keys import make_key
    from mlm_data.training.lengths import LengthOrder

    order = LengthOrder(instances, make_key(1, "lengths"))
    whole = np.array(list(order.numbers(0).take(first + 20).as_numpy_iterator()))
    assert list(order.numbers(first).take(20).as_numpy_iterator()) == whole[first:].tolist()
    assert order.count(first) == np.bincount(whole[:first], minlength=len(instances)).tolist()
    assert order.count(7 * sum(instances)) == [7 * number for number in instances]


@needs_tensorflow
def test_lengths_of_many_instances_come_in_proportion_too():
    from mlm_data.training.keys import make_key
    from mlm_data.training.lengths import LengthOrder

    instances = np.array([1_000_003, 30_000_001, 5])
    counts = np.array(LengthOrder(instances.tolist(), make_key(1, "lengths")).count(1_000_000))
    np.testing.assert_allclose(counts / 1_000_000, instances / instances.sum(), rtol=1e-3, atol=2e-5)
    assert counts.min() > 0


@needs_tensorflow
@pytest.mark.parametrize("flags", [{}, LENGTHS, LENGTHS | {"masking": "none"}])
def test_batches_follow_from_seed_and_number_alone(tmp_path, monkeypatch, flags):
    from mlm_data.training import passes

    monkeypatch.setattr(passes, "_GROUP", 1)  # so that a pass has several
    write_dataset(tmp_path, documents=8, **flags)
    data = load(tmp_path).with_masks("dynamic", DynamicMaskingSettings())

    def read(first: int, count: int, seed: int = 5) -> list[list[bytes]]:
        batches = reader(data, 30, draws_masks=True).training_batches(TRAIN, seed=seed, shuffle_buffer=40, first=first)
        return [rows(batch) for batch in batches.take(count)]

    batches = data.instances(TRAIN) // 30
    whole = read(0, 2 * batches + 2)
    for first in range(0, 2 * batches, 7):
        assert read(first, 2) == whole[first : first + 2], first
    assert read(0, 3, seed=6) != whole[:3]


@needs_tensorflow
def test_new_masks_for_evaluation_are_always_the_same(tmp_path, monkeypatch):
    from mlm_data.training import input as training_input

    monkeypatch.setattr(training_input, "_MASKED_TOGETHER", 16)
    write_dataset(tmp_path, documents=8, **LENGTHS, masking="none")
    data = load(tmp_path).with_masks("dynamic", DynamicMaskingSettings(dynamic_masking="whole_word"))

    def read(batch_size: int, share: Share = WHOLE) -> Counter[bytes]:
        batches = reader(data, batch_size, share=share, draws_masks=True).evaluation_batches(VALIDATION)
        return Counter(row for batch in batches for row in rows(batch))

    assert read(7) == read(40) == read(9, Share(0, 2)) + read(9, Share(1, 2))
    assert read(7).total() == data.instances(VALIDATION)


@needs_tensorflow
def test_workers_share_each_batch(data):
    def read(share: Share) -> list[list[bytes]]:
        batches = reader(data, 12, share=share).training_batches(TRAIN, seed=5, shuffle_buffer=40)
        return [rows(batch) for batch in batches.take(3)]

    whole, parts = read(Share()), [read(Share(index, 3)) for index in range(3)]
    assert [sorted(batch) for batch in whole] == [sorted(itertools.chain(*some)) for some in zip(*parts, strict=True)]
    assert all(len(batch) == 4 for part in parts for batch in part)


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
    with pytest.raises(SettingsError, match="no instances in its split test; expected one of train, validation"):
        data.shards("test")


def test_masks_are_those_of_the_shards_or_drawn_as_told(data, tmp_path):
    plain, words = DynamicMaskingSettings(), DynamicMaskingSettings(dynamic_masking="ngram", masked_lm_prob=0.3)
    assert data.with_masks("static", plain) is data
    assert data.with_masks("dynamic", plain).masking == data.masking
    drawn = MaskingSettings(masking="ngram", masked_lm_prob=0.3, max_predictions_per_seq=10)
    assert data.with_masks("dynamic", words).masking == drawn
    with pytest.raises(SettingsError, match="--dynamic_masking and --masked_lm_prob would tell how to draw masks"):
        data.with_masks("static", words)
    with pytest.raises(SettingsError, match="--max_predictions_per_seq is 30 but instances of 32 tokens leave 29"):
        data.with_masks("dynamic", DynamicMaskingSettings(max_predictions_per_seq=30))
    with pytest.raises(SettingsError, match=r"--masked_lm_prob is 0\.9; expected above 0, up to 0.5"):
        data.with_masks("dynamic", DynamicMaskingSettings(masked_lm_prob=0.9))

    write_dataset(tmp_path, documents=3, masking="none", **LENGTHS)
    bare = load(tmp_path)
    with pytest.raises(SettingsError, match="has no masks; draw them in training with --masking dynamic"):
        bare.with_masks("static", plain)
    drawn = bare.with_masks("dynamic", plain)
    assert drawn.masking == MaskingSettings(max_predictions_per_seq=5)  # 0.15 of 32
    slots = {part.manifest.max_seq_length: part.masking.max_predictions_per_seq for part in drawn.by_length(TRAIN)}
    assert slots == {12: 2, 20: 3, 32: 5}


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
