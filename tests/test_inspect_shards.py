"""The command: what it prints, and how it fails."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from mlm_data.config import Settings
from mlm_data.examples import encode_batch, feature_values
from mlm_data.manifest import Manifest
from mlm_data.records import InstanceBatch
from mlm_data.shards import shard_name, write_shard
from mlm_data.storage import LocalStorage
from mlm_data.vocabulary import Vocabulary
from pipelines.inspect_shards import main
from tests.making import FIRST_ORDINARY, SPECIALS, vocabulary_content

CLS, SEP, MASK = (SPECIALS.index(piece) for piece in ("[CLS]", "[SEP]", "[MASK]"))
W1, C2, W3 = range(FIRST_ORDINARY + 1, FIRST_ORDINARY + 4)


def batch(labels: list[int]) -> InstanceBatch:
    """Instances [CLS] w1 ##c2 [SEP] [MASK] [SEP] with w3 hidden, told apart by their labels."""
    number = len(labels)
    return InstanceBatch(
        input_word_ids=np.tile(np.array([CLS, W1, C2, SEP, MASK, SEP, 0, 0], np.int32), (number, 1)),
        lengths=np.full(number, 6, np.int32),
        a_lengths=np.full(number, 4, np.int32),
        masked_lm_positions=np.tile(np.array([4, 0], np.int32), (number, 1)),
        masked_lm_ids=np.tile(np.array([W3, 0], np.int32), (number, 1)),
        masked_lm_counts=np.full(number, 1, np.int32),
        next_sentence_labels=np.array(labels, np.int64),
    )


@pytest.fixture
def dataset(tmp_path) -> Path:
    """A dataset of two training shards and one for validation, whose manifest has its own words for labels."""
    storage, directory = LocalStorage(), tmp_path / "out"
    shards = {
        split: tuple(
            write_shard(storage, str(directory), shard_name(split, index, total), [encode_batch(batch(labels))])
            for index, labels in enumerate(contents)
        )
        for split, total, contents in [("validation", 1, [[1, 1]]), ("train", 2, [[0, 1, 0], [1, 0]])]
    }
    (directory / "vocab.txt").write_bytes(vocabulary_content())
    vocabulary = Vocabulary.load(str(directory / "vocab.txt"), storage)
    manifest = dataclasses.replace(
        Manifest.of(shards, Settings(), vocabulary), label_meanings={"0": "in order", "1": "swapped"}
    )
    (directory / "manifest.json").write_text(manifest.to_json())
    return directory


def damage(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_json_holds_everything_of_every_record_train_first(dataset, capsys):
    assert main([str(dataset), "--json", "--limit=100"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(Path(line["shard"]).name[:8], line["index"], line["label"], line["label_meaning"]) for line in lines] == [
        ("train-00", 0, 0, "in order"),
        ("train-00", 1, 1, "swapped"),
        ("train-00", 2, 0, "in order"),
        ("train-00", 0, 1, "swapped"),
        ("train-00", 1, 0, "in order"),
        ("validati", 0, 1, "swapped"),
        ("validati", 1, 1, "swapped"),
    ]
    first = lines[0]
    assert first["tokens"] == ["[CLS]", "w1", "##c2", "[SEP]", "[MASK]", "[SEP]"]
    assert (first["text_a"], first["text_b"]) == ("w1c2", "w3")
    assert first["predictions"] == [{"position": 4, "original": "w3", "now": "[MASK]", "kind": "masked"}]
    assert first["features"] == {name: column[0].tolist() for name, column in feature_values(batch([0])).items()}


def test_the_eye_gets_one_legend_and_as_many_records_as_it_asks_for(dataset, capsys):
    assert main([str(dataset), "--limit", "4"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("replaced at random") == 1
    assert printed.count("B  [w3→MASK]") == 4
    assert "No manifest" not in printed


def test_one_record_is_shown_by_its_place(dataset, capsys):
    assert main([f"{dataset}/train-00000*", "--index", "1:1", f"{dataset}/train-00001*"]) == 0
    printed = capsys.readouterr().out
    assert "train-00001-of-00002.tfrecord, record 1" in printed
    assert printed.count("label") == 1


def test_foreign_shards_take_a_vocabulary_and_flags_their_dashes(dataset, tmp_path, capsys):
    write_shard(LocalStorage(), str(tmp_path), "bert.tfrecord.gz", [encode_batch(batch([1]), "v1")], "gzip")
    assert main([f"{tmp_path}/bert.tfrecord.gz"]) == 0
    assert main([f"{tmp_path}/bert.tfrecord.gz", "--vocab-file", f"{dataset}/vocab.txt"]) == 0
    with_ids, with_pieces = capsys.readouterr().out.split("[river→MASK]")
    assert f"B  [{W3}→{MASK}]" in with_ids
    assert "B  [w3→MASK]" in with_pieces
    assert "label 1: B is random" in with_pieces


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{0}/nothing*"], "nothing*: no such file"),
        (["{0}", "--index", "0:3"], "got record 3 of {0}/train-00000-of-00002.tfrecord, which has records 0 to 2"),
        (["{0}", "--index", "7:0"], "got shard 7; expected shards 0 to 1"),
        (["{0}", "--vocab_file", "{0}/../none.txt"], "none.txt cannot be read: No such file"),
        (["{0}", "--vocab_file", "{0}/../short.txt"], "short.txt has 114 entries; expected 504"),
        (["{0}", "--limit", "0"], "expected a number, 1 or more"),
        (["{0}", "--index", "3"], "expected SHARD:RECORD"),
        (["{0}", "--limits", "3"], "unknown flag --limits; did you mean --limit?"),
        ([], "required: PATH"),
    ],
)
def test_wrong_usage_is_status_2(dataset, capsys, arguments, message):
    (dataset / "../short.txt").write_bytes(vocabulary_content(10))
    try:
        status = main([argument.format(dataset) for argument in arguments])
    except SystemExit as exit_:
        status = exit_.code
    captured = capsys.readouterr()
    assert (status, captured.out) == (2, "")
    assert message.format(dataset) in captured.err


def test_damaged_shards_are_status_1_after_what_is_sound(dataset, capsys):
    shard = dataset / "train-00000-of-00002.tfrecord"
    damage(shard, -20)  # inside the last record
    assert main([str(dataset), "--json"]) == 1
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2
    assert f"{shard}, record 2: the checksum" in captured.err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-00000-of-00002.tfrecord", b"once upon a time there was", "this is no TFRecord file"),
        ("vocab.txt", vocabulary_content(10), "vocab.txt has 114 entries; expected 504"),
        ("vocab.txt", vocabulary_content().replace(b"w1\n", b"x1\n"), "vocab.txt has sha256 "),
        ("vocab.txt", b"once\nupon\n", "vocab.txt lacks [PAD], [UNK]"),
        ("manifest.json", b"{}", "manifest.json cannot be understood"),
        ("manifest.json", b'{"format": 1}', "manifest.json cannot be understood"),
        ("manifest.json", None, None),  # unfinished, but it can be looked at
        ("train-00000-of-00002.tfrecord", None, "train-00000-of-00002.tfrecord: No such file"),
    ],
)
def test_damaged_datasets_are_status_1(dataset, capsys, name, content, message):
    if content is None:
        (dataset / name).unlink()
    else:
        (dataset / name).write_bytes(content)
    status = main([str(dataset)])
    captured = capsys.readouterr()
    assert status == (1 if message else 0)
    assert (message or "") in captured.err
    assert bool(captured.out) != bool(captured.err)


def test_ids_outside_the_vocabulary_are_placed(dataset, tmp_path, capsys):
    strange = batch([0, 1])
    strange.input_word_ids[1, 2] = 504
    write_shard(LocalStorage(), str(tmp_path), "strange.tfrecord", [encode_batch(strange)])
    assert main([f"{tmp_path}/strange.tfrecord", "--vocab_file", f"{dataset}/vocab.txt"]) == 1
    captured = capsys.readouterr()
    assert "strange.tfrecord, record 0 " in captured.out
    assert "strange.tfrecord, record 1: input_word_ids has 504; expected 0 to 503" in captured.err
