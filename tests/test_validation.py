"""Sound datasets pass, ours and others'; what cannot be checked is said."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest

from mlm_data.examples import RecordError, encode_batch
from mlm_data.inspection import RequestError
from mlm_data.records import EncodedBatch, TokenizedDocument
from mlm_data.shards import ShardError, write_shard
from mlm_data.validation import Verdict, verify
from pipelines.inspect_shards import main
from tests.datasets import (
    CLS,
    SEP,
    STORAGE,
    VOCABULARY,
    Columns,
    Dataset,
    check,
    detail,
    encode_columns,
    make_dataset,
    not_made,
    violated,
)
from tests.making import FIRST_ORDINARY, random_documents

SEEDS = int(os.environ.get("SEEDS", "10"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_sound_datasets_pass_whatever_the_seed(tmp_path, seed):
    sound = make_dataset(tmp_path, random_seed=seed)
    found = check(sound, tokens_dir=str(sound.tokens_dir))
    assert violated(found) == set(), found.summary()
    assert {one.name for one in found.having(Verdict.NOT_MADE)} == {
        "statistics",
        "documents",
        "whole words",
        "word starts",
    }


@pytest.mark.parametrize("masking", ["whole_word", "ngram", "span"])
def test_sound_datasets_pass_however_they_are_masked(tmp_path, masking):
    documents = [
        *random_documents(400, sentences=(2, 30), words=(1, 20)),
        *map(with_one_word_a_sentence, random_documents(4, sentences=(4, 8), words=(20, 60), seed=1)),
    ]
    dataset = make_dataset(tmp_path, documents, masking=masking)
    found = check(dataset)
    assert violated(found) == set(), found.summary()
    assert "whole words" not in not_made(found)
    # Without a manifest it is the records that tell how they were masked.
    (dataset.directory / "manifest.json").unlink()
    found = check(dataset)
    assert violated(found) == set(), found.summary()


def test_where_long_words_do_not_fit_they_are_not_missed(tmp_path):
    documents = random_documents(400, sentences=(2, 30), words=(1, 20))
    found = check(make_dataset(tmp_path, documents, masking="whole_word", masked_lm_prob=0.04))
    assert violated(found) == set(), found.summary()
    assert "at most 3 tokens" in not_made(found)["selection by word size"]


def with_one_word_a_sentence(document: TokenizedDocument) -> TokenizedDocument:
    """Words of more pieces than are predicted of an instance: none fits, so that pieces are predicted one by one."""
    ids = document.ids - (document.ids - FIRST_ORDINARY) % 2
    ids[document.sentence_offsets[:-1]] += 1
    assert VOCABULARY.is_continuation[ids].sum() == len(ids) - len(document.sentence_offsets) + 1
    return dataclasses.replace(document, key=document.key[::-1], source="long words", ids=ids)


def test_the_number_of_processes_changes_nothing(dataset, monkeypatch):
    monkeypatch.setattr("mlm_data.validation.verification._BYTES_WORTH_A_PROCESS", 1)
    dataset.spoil(3, lambda columns: columns["next_sentence_labels"].fill(1))
    options = {"tokens_dir": str(dataset.tokens_dir)}
    two = verify([str(dataset.directory)], STORAGE, processes=2, **options)
    assert two == check(dataset, **options)
    assert violated(two) == {"label 1 is true", "label share", "label share by shard"}


def test_what_is_missing_is_said_and_nothing_passes_for_it(dataset):
    for name in ("manifest.json", "config.json", "vocab.txt"):
        (dataset.directory / name).unlink()
    found = check(dataset)
    assert found.is_sound
    reasons = not_made(found)
    assert len(found.checks) == len(reasons) + len(found.having(Verdict.OK))
    no_vocabulary = {"padding", "[CLS]", "[SEP]", "ids", "[MASK]", "restored text", "random tokens", "replacements"}
    no_vocabulary |= {"spread of random tokens", "selection by position", "selection by word size"}
    no_vocabulary |= {"words across [SEP]", "masks of two passes", "whole words", "vocabulary"}
    assert {name for name, reason in reasons.items() if "--vocab_file" in reason} == no_vocabulary
    no_tokens = {"label 0 is true", "label 1 is true", "coverage"}
    assert {name for name, reason in reasons.items() if "--tokens_dir" in reason} == no_tokens
    no_manifest = {"manifest", "statistics", "documents"}
    assert {name for name, reason in reasons.items() if "manifest.json" in reason} == no_manifest
    assert set(reasons) == no_vocabulary | no_tokens | no_manifest | {"word starts"}


def test_shards_of_other_makers_are_checked_no_less(dataset, tmp_path):
    directory = tmp_path / "bert"
    for number, batch in enumerate(dataset.batches):
        name = f"tf_examples.tfrecord-{number:05d}-of-00006"
        write_shard(STORAGE, str(directory), name, [encode_batch(batch, "v1")], "gzip")
    (tmp_path / "vocab.txt").write_bytes(VOCABULARY.content)
    foreign = dataclasses.replace(dataset, directory=directory)
    found = verify([f"{directory}/tf_examples*"], STORAGE, vocab_file=f"{tmp_path}/vocab.txt", processes=1)
    assert found.is_sound
    assert detail(found, "number of predictions") == "0.15 is what most records have"
    made = {one.name for one in check(dataset).checks} - set(not_made(found))
    assert {"masks of two passes", "surface probe", "set of shards", "label share by shard", "[SEP]"} <= made
    (directory / "tf_examples.tfrecord-00003-of-00006").unlink()
    found = verify([f"{foreign.directory}/tf_examples*"], STORAGE, processes=1)
    assert detail(found, "set of shards") == "missing: tf_examples.tfrecord-00003-of-00006"


@pytest.mark.parametrize(
    ("paths", "options", "message"),
    [
        (["{0}/out/train-00000*", "{0}/other"], {}, "shards of 2 directories"),
        (["{0}/other"], {"tokens_dir": "{0}/tokens"}, "of use only with manifest.json and config.json"),
        (["{0}/out"], {"tokens_dir": "{0}/other"}, "holds no tokens"),
        (["{0}/out"], {"tokens_dir": "{0}/strange"}, "holds the tokens of other text or settings"),
        (["{0}/bare"], {"tokens_dir": "{0}/tokens"}, "only with the vocabulary of the records"),
    ],
)
def test_what_does_not_belong_together_is_refused(dataset, tmp_path, paths, options, message):
    (tmp_path / "other").mkdir()
    shutil.copy(dataset.directory / dataset.names[3], tmp_path / "other")
    for name in ("tokens", "strange"):
        shutil.copytree(dataset.tokens_dir, tmp_path / name)
    (tmp_path / "strange" / "fingerprint.txt").write_text("strange")
    shutil.copytree(dataset.directory, tmp_path / "bare")
    (tmp_path / "bare" / "vocab.txt").unlink()
    named = [path.format(tmp_path) for path in paths]
    with pytest.raises(RequestError, match=message):
        verify(named, STORAGE, **{name: value.format(tmp_path) for name, value in options.items()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_type_ids": None}, "0 values in input_type_ids"),
        ({"masked_lm_weights": None}, "0 values in masked_lm_weights"),
        ({"input_word_ids": np.zeros((1, 64), np.float32)}, "float32 values in input_word_ids; expected int64"),
        ({"next_sentence_labels": np.zeros((1, 2), np.int64)}, "2 values in next_sentence_labels"),
        ({"input_type_ids": np.zeros((1, 65), np.int64)}, "65 values in input_type_ids"),
    ],
)
def test_what_is_no_training_record_is_refused(dataset, tmp_path, change, message):
    columns = {name: values[:1] for name, values in dataset.columns(3).items()} | change
    records = encode_columns({name: values for name, values in columns.items() if values is not None})
    write_shard(STORAGE, str(tmp_path), "odd.tfrecord", [EncodedBatch.of(records)])
    with pytest.raises(RecordError, match=message):
        verify([f"{tmp_path}/odd.tfrecord"], STORAGE)


def unmasked_records(dataset: Dataset, shard: int) -> Columns:
    """As they were before masking, with the word starts that such records have."""
    columns = dataset.columns(shard)
    positions, used = columns["masked_lm_positions"], columns["masked_lm_weights"] == 1
    rows = np.nonzero(used)[0]
    columns["input_word_ids"][rows, positions[used]] = columns["masked_lm_ids"][used]
    ids = columns["input_word_ids"]
    is_text = (columns["input_mask"] == 1) & ~np.isin(ids, (CLS, SEP))
    continues = VOCABULARY.is_continuation[ids]
    continues[:, 1:] &= is_text[:, :-1]
    columns["input_word_starts"] = (is_text & ~continues).astype(np.int64)
    return {name: columns[name] for name in columns if "masked" not in name}


def test_records_without_predictions_are_checked_for_the_rest(dataset):
    unmasked = [unmasked_records(dataset, shard) for shard in range(6)]
    dataset.write(
        {shard: EncodedBatch.of(encode_columns(columns)) for shard, columns in enumerate(unmasked)}, masking="none"
    )
    found = check(dataset, tokens_dir=str(dataset.tokens_dir))
    assert found.is_sound
    of_predictions = {name for name, reason in not_made(found).items() if reason == "there are no masked_lm features"}
    assert {"weights", "[MASK]", "replacements", "number of predictions", "masks of two passes"} < of_predictions
    unmasked[3]["input_word_starts"][5, 2] ^= 1
    dataset.write(
        {shard: EncodedBatch.of(encode_columns(columns)) for shard, columns in enumerate(unmasked)}, masking="none"
    )
    found = check(dataset)
    assert violated(found) == {"word starts"}
    assert detail(found, "word starts") == f"first: {dataset.names[3]}:5"


def test_without_a_record_there_is_nothing_to_verify(tmp_path):
    write_shard(STORAGE, str(tmp_path), "empty.tfrecord", [])
    with pytest.raises(ShardError, match="1 files without a record that can be read"):
        verify([str(tmp_path)], STORAGE, processes=1)
    (tmp_path / "empty.tfrecord").write_bytes(b"no shard at all")
    with pytest.raises(ShardError, match=r"the first problem: .*the checksum of its length is wrong"):
        verify([str(tmp_path)], STORAGE, processes=1)


def test_the_program_shows_all_checks_and_ends_with_their_sum(dataset, capsys):
    assert main([str(dataset.directory), "--verify"]) == 0
    *table, last = capsys.readouterr().out.splitlines()
    found = check(dataset)
    records, ok, others = sum(map(len, dataset.batches)), len(found.having(Verdict.OK)), len(not_made(found))
    assert last == f"{records:,} records in 6 shards, {ok + others} checks: {ok} ok, {others} not made"
    shown = "\n".join(table)
    for one in found.checks:
        assert one.name in shown


@pytest.mark.parametrize("columns", [80, 120])
def test_each_check_has_a_line_and_what_is_violated_is_told_in_full(dataset, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    dataset.spoil(3, lambda columns: columns["next_sentence_labels"].fill(2))
    assert main([str(dataset.directory), "--verify"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    for one in check(dataset).checks:
        (line,) = (line for line in lines if line.startswith(f" {one.name}  "))
        assert line.rstrip().endswith(one.verdict)
    told = lines.index("VIOLATED  labels: next_sentence_labels are 0 or 1")
    broken, records = len(dataset.batches[3]), sum(map(len, dataset.batches))
    observed = f"  observed {broken} of {records:,} records break it; expected no record; first:"
    assert lines[told + 1].startswith(observed)
    (_,) = (
        line for line in lines if line.startswith("not made  label 0 is true, label 1 is true, coverage: needs the")
    )


def test_a_violation_is_status_1_and_json_is_one_object(dataset, capsys):
    dataset.spoil(3, lambda columns: columns["next_sentence_labels"].fill(2))
    assert main([str(dataset.directory), "--verify", "--json", "--processes", "1"]) == 1
    written = json.loads(capsys.readouterr().out)
    assert written["is_sound"] is False
    (violation,) = (found for found in written["checks"] if found["verdict"] == "VIOLATED")
    assert violation["name"] == "labels"
    assert violation["detail"] == f"first: {dataset.names[3]}:0"
    assert main([str(dataset.directory), "--verify"]) == 1
    assert "VIOLATED  labels: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{0}", "--tokens_dir", "{0}"], "of use with --verify only"),
        (["{0}", "--verify", "--tokens_dir", "{0}"], "holds no tokens"),
        (["{0}", "--verify", "--limit", "3"], "not allowed with argument"),
        (["{0}/nothing", "--verify"], "no such file"),
    ],
)
def test_wrong_usage_is_status_2(dataset, capsys, arguments, message):
    try:
        status = main([argument.format(dataset.directory) for argument in arguments])
    except SystemExit as exit_:
        status = exit_.code
    captured = capsys.readouterr()
    assert (status, captured.out) == (2, "")
    assert message in captured.err
