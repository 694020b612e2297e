"""TensorFlow as the oracle: it would write the same records, and reads our files. Nothing else imports it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlm_data.examples import BERT_FEATURES, Width, decode_batch, encode_batch, feature_values, features_of
from mlm_data.records import InstanceBatch
from mlm_data.shards import ShardReader, write_shard
from mlm_data.storage import LocalStorage
from pipelines.make_pretraining_data import main

REPOSITORY = Path(__file__).parents[1]
WIDTHS = {Width.SEQUENCE: 64, Width.PREDICTIONS: 9, Width.ONE: 1}


@pytest.fixture(scope="module")
def tf():
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return pytest.importorskip("tensorflow", reason="TensorFlow is not installed on this platform")


@pytest.fixture(scope="module")
def batch() -> InstanceBatch:
    rng = np.random.default_rng(0)
    rows, width, slots = 200, WIDTHS[Width.SEQUENCE], WIDTHS[Width.PREDICTIONS]
    lengths = rng.integers(5, width + 1, rows)
    return InstanceBatch(
        input_word_ids=(10 ** rng.uniform(0, 5, (rows, width))).astype(np.int32),
        lengths=lengths.astype(np.int32),
        a_lengths=rng.integers(3, lengths - 1).astype(np.int32),
        masked_lm_positions=rng.integers(1, width, (rows, slots)).astype(np.int32),
        masked_lm_ids=(10 ** rng.uniform(0, 5, (rows, slots))).astype(np.int32),
        masked_lm_counts=rng.integers(1, slots + 1, rows).astype(np.int32),
        next_sentence_labels=rng.integers(0, 2, rows),
        input_word_starts=rng.random((rows, width)) < 0.7,
    )


@pytest.mark.parametrize(
    ("feature_names", "objective", "masking"),
    [
        ("v1", "nsp", "token"),
        ("v2", "nsp", "token"),
        ("v2", "mlm", "token"),
        ("v1", "sop", "none"),
        ("v2", "mlm", "none"),
    ],
)
def test_records_are_what_tensorflow_serializes(tf, batch, feature_names, objective, masking):
    present = features_of(objective, masking)
    values, encoded = feature_values(batch), list(encode_batch(batch, feature_names, present).records())
    for row in range(len(batch)):
        features = {}
        for feature in present:
            column = values[feature.v2][row].tolist()
            kind = (
                {"int64_list": tf.train.Int64List(value=column)}
                if feature.dtype == "int64"
                else {"float_list": tf.train.FloatList(value=column)}
            )
            features[feature.name(feature_names)] = tf.train.Feature(**kind)
        example = tf.train.Example(features=tf.train.Features(feature=features))
        assert example.SerializeToString(deterministic=True) == encoded[row]


def test_the_cards_code_reads_several_lengths(tf, tmp_path, monkeypatch):
    samples, vocabulary = REPOSITORY / "samples" / "corpus", REPOSITORY / "vocab" / "en-uncased-30k.txt"
    flags = [f"--input={samples}/**", f"--vocab_file={vocabulary}", f"--output_dir={tmp_path}", "--dupe_factor=4"]
    assert main([*flags, "--sequence_buckets", "32", "64", "96", "--masked_lm_prob=0.5"]) == 0
    (code,) = re.findall(r"```python\n(.*?)```", (tmp_path / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code.replace("32_768", "256"), names)
    shapes = {tuple(values.shape[1] for values in batch.values()) for batch in names["dataset"].as_numpy_iterator()}
    assert {len(shape) for shape in shapes} == {7}
    assert {frozenset(shape) for shape in shapes} == {frozenset({length, length // 2, 1}) for length in (32, 64, 96)}


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_files_are_read_by_tf_data_and_parse_example(tf, batch, tmp_path, compression):
    name = "train-00000-of-00001.tfrecord" + (".gz" if compression == "gzip" else "")
    write_shard(LocalStorage(), str(tmp_path), name, [encode_batch(batch)] * 2, compression)
    schema = {
        feature.v2: tf.io.FixedLenFeature([WIDTHS[feature.width]], tf.dtypes.as_dtype(feature.dtype))
        for feature in BERT_FEATURES
    }
    files = tf.data.TFRecordDataset(str(tmp_path / name), compression_type="GZIP" if compression == "gzip" else "")
    parsed = list(files.batch(len(batch)).map(lambda records: tf.io.parse_example(records, schema)))
    assert len(parsed) == 2
    for feature in BERT_FEATURES:
        assert (parsed[1][feature.v2].numpy() == feature_values(batch)[feature.v2]).all()


def test_records_tensorflow_writes_are_decoded_in_batches(tf, batch, tmp_path):
    values, path = feature_values(batch), str(tmp_path / "x.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for row in range(len(batch)):
            example = tf.train.Example()
            for feature in BERT_FEATURES:
                kind = example.features.feature[feature.v1]
                kind = kind.float_list if feature.dtype == "float32" else kind.int64_list
                kind.value.extend(values[feature.v2][row].tolist())
            writer.write(example.SerializeToString())
    (framed,) = ShardReader(LocalStorage(), path).batches()
    decoded = decode_batch(framed.data, framed.starts, framed.ends)
    for group in decoded.groups:
        for feature in BERT_FEATURES:
            assert (group.columns[feature.v1] == values[feature.v2][group.rows]).all()
    assert sum(len(group.rows) for group in decoded.groups) == len(batch)
