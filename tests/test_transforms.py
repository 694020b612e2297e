"""The hallway: what travels between workers arrives whole, and storage is one whoever provides it."""

from __future__ import annotations

import logging

import apache_beam as beam
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_data.config import Settings, ShardsSettings
from mlm_data.corpora import FileRange, InputFile, cut_files
from mlm_data.records import Document, Reason, Rejection, Repair, TokenizedDocument
from mlm_data.shards import read_records
from mlm_data.storage import LocalStorage, Storage
from mlm_data.transforms import coders
from mlm_data.transforms.build import ShardBuilder, build_group, select_documents
from mlm_data.transforms.failures import RunFailedError, failure_message
from mlm_data.transforms.file_shuffle import PrepareTask, StoredTask, plan_tasks
from mlm_data.transforms.planning import Bucket, CorpusMeter, CorpusSize, ShardPlan, merge_sizes, plan_shards
from mlm_data.transforms.progress import ProgressHandler, Stage, report, report_reading
from mlm_data.transforms.storage import BeamStorage
from mlm_data.vocabulary import Vocabulary
from tests.making import random_documents, tokenized, vocabulary_content

VOCABULARY = Vocabulary.parse(vocabulary_content(), "made up")


@given(
    st.binary(min_size=16, max_size=16),
    st.text(),
    st.integers(0, 2**32 - 1),
    st.lists(st.lists(st.integers(0, 2**16 - 1), min_size=1), max_size=5),
    st.sampled_from([np.uint16, np.uint32]),
    st.sets(st.sampled_from(list(Repair))),
)
def test_documents_travel_unchanged(key, source, index, sentences, dtype, repairs):
    ids = np.array([token for sentence in sentences for token in sentence], dtype)
    offsets = np.cumsum([0, *map(len, sentences)]).astype(np.uint32)
    in_order = tuple(repair for repair in Repair if repair in repairs)
    document = TokenizedDocument(key, source, index, ids, offsets, in_order)
    coders.register()
    coder = beam.coders.registry.get_coder(TokenizedDocument)
    arrived = coder.decode(coder.encode(document))
    assert (arrived.key, arrived.source, arrived.index, arrived.repairs) == (key, source, index, in_order)
    assert arrived.ids.dtype == dtype
    assert arrived.ids.tolist() == ids.tolist()
    assert arrived.sentence_offsets.tolist() == offsets.tolist()


@pytest.mark.parametrize("storage", [LocalStorage(), BeamStorage()], ids=["local", "beam"])
def test_every_storage_does_what_rooms_rely_on(storage: Storage, tmp_path):
    path = f"{tmp_path}/deep/down/a.txt.gz"
    with storage.open_for_writing(path) as file:
        file.write(b"not decompressed")
    with storage.open_for_reading(path) as file:
        assert file.read() == b"not decompressed"
    storage.rename(path, f"{tmp_path}/elsewhere/b.txt")
    found = storage.match(f"{tmp_path}/**")
    assert [(stat.path, stat.size) for stat in found] == [(f"{tmp_path}/elsewhere/b.txt", 16)]
    assert found[0].modified > 1e9
    assert storage.match(f"{tmp_path}/elsewhere") == storage.match(f"{tmp_path}/nowhere/*") == []
    storage.delete(f"{tmp_path}/elsewhere")
    storage.delete(f"{tmp_path}/elsewhere")
    assert storage.match(f"{tmp_path}/**") == []
    with pytest.raises(OSError, match="nowhere"), storage.open_for_reading(f"{tmp_path}/nowhere"):
        pass


def test_an_unknown_file_system_is_an_error_of_the_storage():
    with pytest.raises(OSError, match="cannot list"):
        BeamStorage().match("nosuch://bucket/*")


def test_a_workers_message_is_found_in_whatever_the_runner_makes_of_it():
    with pytest.raises(RunFailedError) as error:
        [1] | beam.Map(fail)
    assert failure_message(error.value) == "the disk is full:\nmake room"
    assert failure_message(RuntimeError(f"Traceback ... {error.value} [while running 'x']")) is not None
    assert failure_message(RuntimeError("a bug")) is None


def fail(_: int) -> None:
    raise RunFailedError("the disk is full:\nmake room")


def test_progress_adds_up_to_the_size_of_the_files():
    heard: list[tuple[Stage, int]] = []
    handler = ProgressHandler(lambda stage, count: heard.append((stage, count)))
    logger = logging.getLogger("mlm_data")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    documents = [Document("a", i, "x" * 3_000_000) for i in range(5)]
    try:
        many_small_files = [(iter(documents[i : i + 1]), 3) for i in range(5)]
        assert list(report_reading([(iter(documents), 8_999_985), *many_small_files])) == [*documents, *documents]
        report(Stage.WRITTEN, 1)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    read = [count for stage, count in heard if stage is Stage.READ]
    assert len(read) in (2, 3)
    assert sum(read) == 9_000_000
    assert heard[-1] == (Stage.WRITTEN, 1)


def test_the_plan_follows_from_content_and_refuses_too_many_failures():
    settings = ShardsSettings(validation_fraction=0.5)
    items = [*random_documents(100, (2, 5), (3, 9)), Rejection(Reason.BINARY, "b.txt", 0, "not text")]
    meters = [CorpusMeter(settings) for _ in range(4)]
    for number, item in enumerate(items):
        meters[0].add(item)
        meters[1 + number % 3].add(item)
    whole = meters[0].size
    assert merge_sizes(meter.size for meter in reversed(meters[1:])) == whole
    assert plan_shards(whole, ShardsSettings(num_shards=3)).buckets == {"train": 3, "validation": 3}
    with pytest.raises(RunFailedError, match=r"(?s)1 of 101 documents .* b\.txt, document 0: binary: not text"):
        plan_shards(whole, ShardsSettings(max_error_rate=0.005))


@given(st.lists(st.integers(0, 10**9), max_size=20), st.sampled_from([1, 100, 10_000]))
@settings(deadline=None)
def test_tasks_are_of_some_megabytes_and_hold_every_range_once(sizes, times):
    files = [InputFile(str(i), size * times, 0.0, "lines", detected=False) for i, size in enumerate(sizes)]
    ranges = cut_files(files, 16_000_000 * times)
    tasks = plan_tasks(ranges)
    assert [file_range for task in tasks for file_range in task.ranges] == ranges
    total = sum(file.size for file in files)
    tasks = [task for task in tasks if task.size]  # empty files may come last
    share = total / max(1, len(tasks))
    assert share >= 2_000_000 or len(tasks) <= 1
    assert len(tasks) <= 256 or share >= 60_000_000
    if all(4 * file_range.size < share for file_range in ranges):
        assert len(tasks) < 12 or len(tasks) % 12 == 0
        assert all(task.size < 2 * share for task in tasks)


def test_the_mark_of_a_task_is_that_of_its_ranges():
    file = InputFile("f", 300, 1.5, "lines", detected=False)
    task = PrepareTask("t", (FileRange(file, 0, 100), FileRange(file, 100, 200)))
    stored = StoredTask(("t-0",), CorpusSize(documents={"train": 2}), (Rejection(Reason.EMPTY, "f", 0),))
    assert StoredTask.from_json(stored.to_json(task), task) == stored
    for other in (FileRange(file, 100, 201), FileRange(InputFile("f", 300, 2.5, "lines", detected=False), 100, 200)):
        assert StoredTask.from_json(stored.to_json(task), PrepareTask("t", (task.ranges[0], other))) is None


def test_equal_documents_and_lone_sentences_are_rejected_and_order_does_not_matter():
    rng = np.random.default_rng(0)
    documents = [tokenized("b", [5, 5], rng), tokenized("a", [4], rng), tokenized("c", [5, 5], rng)]
    copies = [TokenizedDocument(d.key, "copy", 0, d.ids, d.sentence_offsets) for d in documents[:1]]
    kept, rejections = select_documents([*copies, *documents], 2)
    assert [document.source for document in kept] == ["b", "c"]
    assert [(rejection.reason, rejection.source) for rejection in rejections] == [
        (Reason.SINGLE_SENTENCE, "a"),
        (Reason.DUPLICATE, "copy"),
    ]
    assert select_documents([*reversed(documents), *copies], 2)[0] == kept
    assert [document.source for document in select_documents(documents, 1)[0]] == ["a", "b", "c"]


def test_a_bucket_gives_the_same_shards_in_whatever_order_its_documents_come(tmp_path):
    settings = Settings.from_flags({"dupe_factor": 2, "output_dir": str(tmp_path)})
    builder = ShardBuilder(settings, VOCABULARY, ShardPlan({"train": 4}), LocalStorage())
    documents = random_documents(30, (2, 20), (3, 30))
    built = builder.build(Bucket("train", 3), documents)
    assert [shard.name for shard in built.shards] == ["train-00003-of-00008.tfrecord", "train-00007-of-00008.tfrecord"]
    assert builder.build(Bucket("train", 3), reversed(documents)).shards == built.shards
    assert built.shards[0].sha256 != built.shards[1].sha256
    records = [len(list(read_records(LocalStorage(), f"{tmp_path}/{shard.name}"))) for shard in built.shards]
    assert records == [shard.records for shard in built.shards]
    assert sum(records) == built.instances.instances


def test_a_pass_gives_a_shard_for_each_length_and_the_instances_stay_the_same(tmp_path):
    documents = random_documents(40, (2, 20), (3, 30))
    bucket, plan = Bucket("train", 1), ShardPlan({"train": 2})

    def build(**flags):
        settings = Settings.from_flags({"dupe_factor": 2, "output_dir": str(tmp_path), **flags})
        return ShardBuilder(settings, VOCABULARY, plan, LocalStorage()).build(bucket, documents)

    one, several = build(), build(sequence_buckets=[16, 64, 128])
    assert [(shard.name, shard.seq_length) for shard in several.shards] == [
        (f"train-seq{length}-0000{index}-of-00004.tfrecord", length) for index in (1, 3) for length in (16, 64, 128)
    ]
    for name in ("lengths", "a_lengths", "b_lengths", "candidates"):
        assert getattr(several.instances, name).tolist() == getattr(one.instances, name).tolist()
    counts = several.instances.by_length((16, 64, 128))
    assert [count.instances for count in counts] == [
        sum(shard.records for shard in several.shards if shard.seq_length == length) for length in (16, 64, 128)
    ]
    assert build(sequence_buckets=[16, 64, 128]).shards == several.shards


def test_a_bucket_that_is_built_is_not_built_again_unless_a_shard_is_damaged(tmp_path):
    settings = Settings.from_flags({"dupe_factor": 2, "output_dir": str(tmp_path)})
    bucket, plan = Bucket("train", 0), ShardPlan({"train": 1})
    documents = [*random_documents(30, (2, 20), (3, 30)), *random_documents(1, (2, 20), (3, 30))]
    built = build_group((bucket, [documents]), settings, VOCABULARY, plan)
    assert [rejection.reason for rejection in built.rejections] == [Reason.DUPLICATE]

    def nothing():
        raise AssertionError("the documents were asked for again")
        yield

    again = build_group((bucket, [nothing()]), settings, VOCABULARY, plan)
    assert (again.bucket, again.shards, again.documents, again.rejections) == (
        *(built.bucket, built.shards, built.documents),
        built.rejections,
    )
    assert again.instances.to_json() == built.instances.to_json()
    (tmp_path / built.shards[1].name).write_bytes(b"cut short")
    assert build_group((bucket, [documents]), settings, VOCABULARY, plan).shards == built.shards
    assert (tmp_path / built.shards[1].name).stat().st_size == built.shards[1].size


def test_an_empty_bucket_gives_empty_shards(tmp_path):
    settings = Settings.from_flags({"dupe_factor": 1, "output_dir": str(tmp_path)})
    built = ShardBuilder(settings, VOCABULARY, ShardPlan({"train": 1}), LocalStorage()).build(Bucket("train", 0), [])
    assert [(shard.records, shard.size) for shard in built.shards] == [(0, 0)]
