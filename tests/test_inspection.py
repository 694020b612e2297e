"""Reading records of any make, and putting them into words."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from mlm_data.config import MaskingSettings, PairingSettings
from mlm_data.examples import FEATURES, RecordError, encode_batch, feature_values, features_of
from mlm_data.examples.decoding import _EXAMPLE_CLASS
from mlm_data.inspection import (
    BERT_LABEL_MEANINGS,
    Record,
    RequestError,
    Shard,
    describe,
    find_shards,
    print_legend,
    print_record,
    read_instance,
    read_one,
)
from mlm_data.instances import gather_instances
from mlm_data.masking import mask_tokens
from mlm_data.pairing import lay_end_to_end, make_segments
from mlm_data.records import EncodedBatch, InstanceBatch
from mlm_data.shards import write_shard
from mlm_data.storage import LocalStorage
from mlm_data.vocabulary import Vocabulary, join_pieces
from tests.making import random_documents, vocabulary_content

STORAGE = LocalStorage()
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "river", "un", "##ending", "stone", "flows", "."]


def load_vocabulary(directory: Any, content: bytes) -> Vocabulary:
    (directory / "vocab.txt").write_bytes(content)
    return Vocabulary.load(str(directory / "vocab.txt"), STORAGE)


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory) -> Vocabulary:
    return load_vocabulary(tmp_path_factory.mktemp("few"), "\n".join([*PIECES, ""]).encode())


@pytest.fixture(scope="module")
def large_vocabulary(tmp_path_factory) -> Vocabulary:
    return load_vocabulary(tmp_path_factory.mktemp("many"), vocabulary_content())


def example(values: dict[str, list[Any]]) -> bytes:
    """A record as somebody else might write it."""
    message = _EXAMPLE_CLASS()
    for name, items in values.items():
        feature = message.features.feature[name]
        kinds = {int: feature.int64_list, float: feature.float_list, bytes: feature.bytes_list}
        kinds[type(items[0]) if items else int].value.extend(items)
    return message.SerializeToString()


def ids(text: str, width: int = 0) -> list[int]:
    found = [PIECES.index(piece) for piece in text.split()]
    return found + [0] * (width - len(found))


def bert_values() -> dict[str, list[Any]]:
    """[CLS] the un ##ending river . [SEP] un ##ending flows . [SEP], as google-research/bert writes it."""
    return {
        "input_ids": ids("[CLS] the un [MASK] stone . [SEP] un ##ending flows . [SEP]", 14),
        "input_mask": [1] * 12 + [0] * 2,
        "segment_ids": [0] * 7 + [1] * 5 + [0] * 2,
        "masked_lm_positions": [3, 4, 9, 0],
        "masked_lm_ids": ids("##ending river flows", 4),
        "masked_lm_weights": [1.0, 1.0, 1.0, 0.0],
        "next_sentence_labels": [1],
    }


def without(name: str) -> dict[str, list[Any]]:
    return {key: value for key, value in bert_values().items() if key != name}


@pytest.mark.parametrize(("feature_names", "objective"), [("v1", "nsp"), ("v2", "nsp"), ("v2", "mlm")])
def test_our_own_records_tell_what_was_hidden(large_vocabulary, feature_names, objective):
    corpus = lay_end_to_end(random_documents(30, (2, 9), (1, 30)))
    rng = np.random.default_rng(1)
    settings = PairingSettings(objective=objective, max_seq_length=64)
    segments = make_segments(corpus, settings, large_vocabulary.sep_id, rng)
    plain = gather_instances(segments, large_vocabulary, 64)
    masked = mask_tokens(plain, MaskingSettings(max_predictions_per_seq=9), large_vocabulary, rng)
    features, values = features_of(objective, "token"), feature_values(masked)
    records = encode_batch(masked, feature_names, features).records()
    kinds = set()
    for row, record in enumerate(records):
        instance = read_instance(record)
        assert instance.feature_names == feature_names
        assert instance.feature_values() == {feature.v2: values[feature.v2][row].tolist() for feature in features}

        said = describe(instance, large_vocabulary)
        before = [large_vocabulary.pieces[token] for token in plain.input_word_ids[row]]
        a_length, length = plain.a_lengths[row], plain.lengths[row]
        assert said.text_a == join_pieces(before[1 : a_length - 1])
        assert said.text_b == join_pieces(before[a_length : length - 1])
        assert said.label_meaning == (BERT_LABEL_MEANINGS[str(segments.labels[row])] if objective == "nsp" else None)
        assert len(said.predictions) == masked.masked_lm_counts[row]
        for item in said.predictions:
            assert item.original == before[item.position]
            assert item.now == said.pieces[item.position]
            now = {"masked": "[MASK]", "kept": item.original}
            assert item.now == now.get(item.kind, item.now)
            kinds.add(str(item.kind))
    assert kinds == {"masked", "random", "kept"}


@pytest.mark.parametrize(
    ("changes", "label", "predictions"),
    [
        ({}, 1, 3),
        ({"next_sentence_labels": None}, None, 3),
        ({"masked_lm_weights": [1, 0, 1, 0]}, 1, 2),  # integers, and a hole
        ({name: bert_values()[name][:3] for name in bert_values() if name.startswith("masked")}, 1, 3),  # not padded
        ({name: [] for name in bert_values() if name.startswith("masked")}, 1, 0),
        ({"is_random_next": [b"yes"]}, 1, 3),  # a feature nobody knows
    ],
)
def test_records_of_other_makers_are_read(vocabulary, changes, label, predictions):
    values = {name: items for name, items in {**bert_values(), **changes}.items() if items is not None}
    said = describe(read_instance(example(values)), vocabulary)
    assert (said.label, len(said.predictions)) == (label, predictions)
    assert said.text_b == "unending flows ."


def test_a_record_may_have_one_segment_and_no_padding(vocabulary):
    values = bert_values() | {"segment_ids": [0] * 12, "input_mask": [1] * 12}
    values["input_ids"] = values["input_ids"][:12]
    without_label = {name: items for name, items in values.items() if name != "next_sentence_labels"}
    said = describe(read_instance(example(without_label)), vocabulary)
    assert (said.text_a, said.text_b) == ("the unending river . [SEP] unending flows .", "")
    console = Console(file=io.StringIO(), width=76, color_system=None)
    print_record(console, Record(Shard("x.tfrecord"), 0, read_instance(example(without_label))), said)
    printed = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert printed[2:5] == [
        "12 of 12 tokens, one segment, 3 of 4 predictions",
        "no label",
        "text  the un[##ending→MASK] [river→stone] . [SEP] unending [flows=kept] .",
    ]


@pytest.mark.parametrize("feature_names", ["v1", "v2"])
def test_a_record_without_masks_says_where_words_begin(vocabulary, feature_names):
    rows = np.array([ids("[CLS] the un ##ending [SEP] ##ending river [SEP]", 10)], np.int32)
    none = np.zeros((1, 0), np.int32)
    lengths = (np.array([8], np.int32), np.array([5], np.int32))
    plain = InstanceBatch(rows, *lengths, none, none, np.zeros(1, np.int32), np.ones(1, np.int64))
    marked = mask_tokens(plain, MaskingSettings(masking="none"), vocabulary, np.random.default_rng(0))
    (record,) = encode_batch(marked, feature_names, features_of("nsp", "none")).records()
    instance = read_instance(record)
    assert instance.feature_values() == {
        "input_word_ids": rows[0].tolist(),
        "input_mask": [1] * 8 + [0] * 2,
        "input_type_ids": [0] * 5 + [1] * 3 + [0] * 2,
        "input_word_starts": [0, 1, 1, 0, 0, 1, 1, 0, 0, 0],
        "next_sentence_labels": [1],
    }
    said = describe(instance, vocabulary)
    assert (said.text_a, said.text_b, said.predictions) == ("the unending", "##ending river", ())
    console = Console(file=io.StringIO(), width=76, color_system=None)
    print_record(console, Record(Shard("x.tfrecord"), 0, instance), said)
    assert "8 of 10 tokens, |A| 3, |B| 2, not masked" in console.file.getvalue()


def test_without_a_vocabulary_ids_are_shown():
    said = describe(read_instance(example(bert_values())), None)
    assert (said.text_a, said.text_b) == ("5 7 8 6 11", "7 8 10 11")
    assert [item.kind for item in said.predictions] == ["replaced", "replaced", "kept"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (without("masked_lm_ids"), r"has no masked_lm_ids; found input_ids, .*; expected input_ids, input_mask"),
        ({}, r"found no feature at all; expected input_word_ids, .* \(or input_ids for input_word_ids"),
        (bert_values() | {"input_mask": [1] * 13}, "13 values in input_mask, .*expected equally many"),
        (bert_values() | {"masked_lm_ids": [1, 2]}, "2 values in masked_lm_ids"),
        (bert_values() | {"input_ids": [0.5] * 14}, "input_ids has float32 values; expected int64"),
        (bert_values() | {"masked_lm_weights": [b"1"] * 4}, "masked_lm_weights has bytes values; expected float32"),
        (bert_values() | {"masked_lm_positions": [3, 4, 14, 0]}, "has 14; expected 0 to 13"),
        (bert_values() | {"next_sentence_labels": [0, 1]}, "2 values; expected one or none"),
    ],
)
def test_what_is_no_instance_is_refused_with_what_was_found(values, message):
    with pytest.raises(RecordError, match=message):
        read_instance(example(values))


lists = st.lists(st.integers(-2, 12), max_size=5) | st.lists(st.floats(0, 1, width=32), max_size=5)
names = st.sampled_from(sorted({name for feature in FEATURES for name in (feature.v1, feature.v2)}))
near_instances = st.fixed_dictionaries(
    {
        feature.v1: st.lists(st.integers(-1, 12), min_size=5, max_size=5)
        if feature.width == "max_seq_length"
        else st.lists(st.integers(0, 4), min_size=2, max_size=2)
        for feature in FEATURES[:-1]
    }
)


@settings(deadline=None)  # rich is slow when it first prints
@given(st.dictionaries(names, lists) | near_instances, st.booleans())
def test_any_record_is_either_refused_or_printed(vocabulary, values, with_vocabulary):
    console = Console(file=io.StringIO(), width=60)
    shard = Shard("somewhere/x.tfrecord", vocabulary=vocabulary if with_vocabulary else None)
    try:
        record = Record(shard, 0, read_instance(example(values)))
        print_record(console, record, record.describe())
    except RecordError:
        return
    assert console.file.getvalue().strip().startswith("x.tfrecord, record 0")


def test_a_record_is_readable_without_colour(vocabulary):
    console = Console(file=io.StringIO(), width=76, color_system=None)
    shard = Shard("out/train-00003-of-00008.tfrecord", None, vocabulary, "out/vocab.txt")
    record = Record(shard, 17, read_instance(example(bert_values())))
    print_legend(console, [shard])
    print_record(console, record, record.describe())
    printed = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert printed == [
        "[river→MASK] masked   [river→stone] replaced at random   [river=kept]",
        "unchanged",
        "Vocabulary: out/vocab.txt, 12 entries",
        "No manifest says what the labels mean. Read here as google-research/bert and",
        "this project write them, 1: B is random; TF Model Garden's sentence",
        "prediction task may read them the other way.",
        "",
        "train-00003-of-00008.tfrecord, record 17 " + 35 * "─",
        "12 of 14 tokens, |A| 5, |B| 4, 3 of 4 predictions",
        "label 1: B is random",
        "A  the un[##ending→MASK] [river→stone] .",
        "B  unending [flows=kept] .",
        "position  original  now     kind    position  original  now     kind",
        "       3  ##ending  [MASK]  masked         9  flows     flows   kept",
        "       4  river     stone   random",
    ]


def test_a_record_is_found_by_the_number_in_the_name_or_by_its_place(tmp_path):
    def written(name: str, *labels: int) -> None:
        records = [example(bert_values() | {"next_sentence_labels": [label]}) for label in labels]
        write_shard(STORAGE, str(tmp_path), name, [EncodedBatch.of(records)], "gzip" if name.endswith("gz") else "none")

    written("x.tfrecord-00007-of-00009", 0, 1, 2)
    written("x.tfrecord-00008-of-00009", 3)
    written("y.tf_record", 4)
    written("y.tf_record2.gz", 5, 6)
    numbered = find_shards(STORAGE, [f"{tmp_path}/x*"])
    assert read_one(STORAGE, numbered, 7, 2).instance.label == 2
    unnumbered = find_shards(STORAGE, [f"{tmp_path}/y.tf_record2.gz", f"{tmp_path}/y.tf_record"])
    assert read_one(STORAGE, unnumbered, 0, 1).instance.label == 6
    with pytest.raises(RequestError, match="got shard 0; expected shards 7 to 8"):
        read_one(STORAGE, numbered, 0, 2)
    with pytest.raises(RequestError, match=r"got record 3 of .*/x.tfrecord-00007-of-00009, which has records 0 to 2"):
        read_one(STORAGE, numbered, 7, 3)
