"""The whole stream, from raw text to shards, as a user runs it."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, chisquare
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mlm_data.config import Settings
from mlm_data.corpora import plan_inputs
from mlm_data.examples import decode_example
from mlm_data.manifest import Manifest
from mlm_data.records import TokenizedDocument
from mlm_data.shards import read_records
from mlm_data.storage import LocalStorage
from mlm_data.transforms.file_shuffle import StoreTokens
from mlm_data.transforms.prepare import Preparer
from mlm_data.vocabulary import Vocabulary
from pipelines.inspect_shards import main as inspect_shards
from pipelines.make_pretraining_data import main
from tests.invariants import check_exact_invariants, read_columns, read_manifest, read_vocabulary

REPOSITORY = Path(__file__).parents[1]
SAMPLES = REPOSITORY / "samples" / "corpus"
VOCABULARY = REPOSITORY / "vocab" / "en-uncased-30k.txt"
REAL_DATA = REPOSITORY.parent / "shared" / "data"


def run(output: Path, *arguments: str, inputs: Sequence[str] = (f"{SAMPLES}/**",)) -> int:
    flags = [f"--input={pattern}" for pattern in inputs]
    return main([*flags, f"--vocab_file={VOCABULARY}", f"--output_dir={output}", *arguments])


def shard_names(directory: Path, split: str = "train") -> list[str]:
    return [shard.name for shard in read_manifest(directory).shards[split]]


def shard_sums(directory: Path) -> list[tuple[str, str]]:
    return [(shard.name, shard.sha256) for shards in read_manifest(directory).shards.values() for shard in shards]


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("sample") / "out"
    assert run(output, "--dupe_factor=3") == 0
    return output


def test_the_directory_holds_what_is_promised(sample):
    names = {str(path.relative_to(sample)) for path in sample.rglob("*") if path.is_file()}
    beside = {"vocab.txt", "config.json", "statistics.json", "features.json", "dataset_info.json", "README.md"}
    assert names == {f"train-0000{i}-of-00003.tfrecord" for i in range(3)} | beside | {"report.html", "manifest.json"}
    assert (sample / "vocab.txt").read_bytes() == VOCABULARY.read_bytes()


def test_every_article_of_the_sample_arrives(sample):
    documents = json.loads((sample / "statistics.json").read_text())["documents"]
    assert documents["read"] == documents["kept"] == 68
    assert documents["rejections"] == {}
    assert documents["repairs"] == {"read_as_windows_1252": 6}


def test_every_record_keeps_the_exact_invariants(sample):
    columns = read_columns(sample, shard_names(sample))
    check_exact_invariants(columns, read_vocabulary(sample), masked_lm_prob=0.15, slots=20)


@pytest.mark.parametrize("masking", ["whole_word", "ngram", "span"])
def test_words_are_masked_whole(tmp_path, masking):
    flags = ("--dupe_factor=1", f"--masking={masking}", "--masked_lm_prob=0.3", "--max_seq_length=64")
    assert run(tmp_path / "out", *flags) == 0
    manifest, vocabulary = read_manifest(tmp_path / "out"), read_vocabulary(tmp_path / "out")
    assert (manifest.masking, manifest.max_predictions_per_seq) == (masking, 20)
    columns = read_columns(tmp_path / "out", shard_names(tmp_path / "out"))
    check_exact_invariants(columns, vocabulary, masked_lm_prob=0.3, slots=20, masking=masking)
    settings = json.loads((tmp_path / "out" / "config.json").read_text())["settings"]
    assert settings["max_predictions_per_seq"] == 20
    assert "whole words" in (tmp_path / "out" / "README.md").read_text()


def test_records_without_masks_hold_the_text_as_it_is(tmp_path, sample, capsys):
    assert run(tmp_path / "out", "--dupe_factor=3", "--masking=none", "--compression=gzip", "--feature_names=v1") == 0
    manifest = read_manifest(tmp_path / "out")
    assert (manifest.masking, manifest.max_predictions_per_seq) == ("none", 0)
    records = [
        decode_example(record)
        for name in shard_names(tmp_path / "out")
        for record in read_records(LocalStorage(), str(tmp_path / "out" / name))
    ]
    names = {"input_ids", "input_mask", "segment_ids", "input_word_starts", "next_sentence_labels"}
    assert all(record.keys() == names for record in records)
    # The pairs are those of a masked dataset with the tokens put back.
    masked = read_columns(sample, shard_names(sample))
    rows, slots = np.nonzero(masked["masked_lm_weights"])
    masked["input_word_ids"][rows, masked["masked_lm_positions"][rows, slots]] = masked["masked_lm_ids"][rows, slots]
    assert np.array_equal(masked["input_word_ids"], np.stack([record["input_ids"] for record in records]))
    printed = capsys.readouterr().out
    assert "not masked" in printed
    assert "redicted" not in printed
    assert inspect_shards([str(tmp_path / "out"), "--limit=1"]) == 0
    assert "MASK" not in capsys.readouterr().out


@pytest.fixture(scope="module")
def bucketed(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("bucketed") / "out"
    assert run(output, "--dupe_factor=2", "--sequence_buckets", "64", "128", "256", "--validation_fraction=0.2") == 0
    return output


def test_shards_of_several_lengths_hold_what_fits_and_is_not_shorter(bucketed):
    manifest, vocabulary = read_manifest(bucketed), read_vocabulary(bucketed)
    assert {path.name for path in bucketed.glob("*.tfrecord")} == {
        shard.name for shards in manifest.shards.values() for shard in shards
    }
    assert not (bucketed / "features.json").exists()
    labels, shortest = [], 0
    for length, slots in {64: 10, 128: 20, 256: 39}.items():
        shards = [shard for shard in manifest.shards["train"] if shard.seq_length == length]
        assert [shard.name for shard in shards] == [f"train-seq{length}-0000{i}-of-00002.tfrecord" for i in (0, 1)]
        columns = read_columns(bucketed, [shard.name for shard in shards])
        assert columns["input_word_ids"].shape == (sum(shard.records for shard in shards), length)
        check_exact_invariants(columns, vocabulary, masked_lm_prob=0.15, slots=slots)
        assert columns["input_mask"].sum(axis=1).min() > shortest
        labels += columns["next_sentence_labels"][:, 0].tolist()
        shortest = length
    assert abs(2 * sum(labels) - len(labels)) <= 2  # one a pass, of an odd number
    counted = json.loads((bucketed / "statistics.json").read_text())["lengths"]["train"]
    assert sum(count["instances"] for count in counted) == len(labels)


def test_several_lengths_have_the_same_bytes_from_two_processes_and_are_foretold(bucketed, tmp_path, capsys):
    flags = ("--dupe_factor=2", "--sequence_buckets=256", "--sequence_buckets", "64", "128")
    flags += ("--validation_fraction=0.2", "--direct_num_workers=2", "--shuffle=engine")
    assert run(tmp_path / "out", *flags) == 0
    assert (tmp_path / "out" / "manifest.json").read_bytes() == (bucketed / "manifest.json").read_bytes()
    capsys.readouterr()
    assert run(tmp_path / "plan", "--dupe_factor=2", "--sequence_buckets", "64", "128", "256", "--plan") == 0
    planned = re.search(r"bytes +│ about ([\d.]+) kB", capsys.readouterr().out)
    shards = [shard for shards in read_manifest(bucketed).shards.values() for shard in shards]
    written = sum(shard.size * (2 if shard.name.startswith("validation") else 1) for shard in shards)
    assert 0.8 < 1000 * float(planned[1]) / written < 1.25


def test_at_par_with_google_bert_records_keep_the_exact_invariants_and_its_bias(tmp_path):
    sentences = tmp_path / "sentences.txt"
    sentences.write_text("".join(f"The only sentence of story {number}.\n\n" for number in range(40)))
    inputs = [f"{SAMPLES}/**", f"sentences:{sentences}"]
    assert run(tmp_path / "out", "--parity=bert", "--dupe_factor=2", inputs=inputs) == 0
    assert read_manifest(tmp_path / "out").parity == "bert"
    columns = read_columns(tmp_path / "out", shard_names(tmp_path / "out"))
    check_exact_invariants(columns, read_vocabulary(tmp_path / "out"), masked_lm_prob=0.15, slots=20)
    documents = json.loads((tmp_path / "out" / "statistics.json").read_text())["documents"]
    assert (documents["kept"], documents["rejections"]) == (68 + 40, {})
    assert columns["next_sentence_labels"].mean() > 0.55


def test_labels_say_whether_b_follows_a_in_one_document(sample):
    settings = Settings.from_flags(json.loads((sample / "config.json").read_text())["settings"])
    texts = ["".join(map(chr, document.ids)) for document in tokenize_again(settings)]
    columns = read_columns(sample, shard_names(sample))
    seen = {0: 0, 1: 0}
    for a, b, label in segments(columns):
        seen[label] += 1
        if min(len(a), len(b)) < 5:
            continue  # so short a text may be in any document
        homes = [(text, text.find(a)) for text in texts if a in text]
        follows = any(b in text[place + len(a) :] for text, place in homes)
        together = any(b in text for text, _ in homes)
        assert (follows, together) == ((True, True) if label == 0 else (False, False))
    assert abs(seen[0] - seen[1]) <= 3  # one a shard, of an odd number


@pytest.fixture(scope="module", params=["sop", "mlm", "mlm --mlm_packing=doc_sentences"])
def other_sample(request, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("other") / "out"
    assert run(output, "--dupe_factor=2", *f"--objective={request.param}".split()) == 0
    return output


def test_every_objective_keeps_the_exact_invariants_and_the_text(other_sample):
    manifest, vocabulary = read_manifest(other_sample), read_vocabulary(other_sample)
    columns = read_columns(other_sample, shard_names(other_sample))
    check_exact_invariants(columns, vocabulary, masked_lm_prob=0.15, slots=20)
    settings = Settings.from_flags(json.loads((other_sample / "config.json").read_text())["settings"])
    documents = tokenize_again(settings)
    texts = ["".join(map(chr, document.ids)) for document in documents]
    if manifest.objective == "sop":
        check_swapped(columns, texts)
        return
    separator = chr(vocabulary.sep_id)
    instances = [a for a, _, _ in segments(columns)]
    if settings.pairing.mlm_packing == "doc_sentences":
        assert not any(separator in instance for instance in instances)
    parts = [part for instance in instances for part in instance.split(separator)]
    assert all(any(part in text for text in texts) for part in parts)
    assert sorted("".join(parts)) == sorted("".join(texts) * 2)


def check_swapped(columns: dict[str, np.ndarray], texts: list[str]) -> None:
    """Labels tell which of two segments of one document comes first."""
    for a, b, label in segments(columns):
        first, second = (b, a) if label else (a, b)
        assert any(second in text.partition(first)[2] for text in texts)
    assert abs(2 * columns["next_sentence_labels"].sum() - len(columns["input_word_ids"])) <= 2


def tokenize_again(settings: Settings) -> list[TokenizedDocument]:
    """The documents of a run, through the rooms alone."""
    storage = LocalStorage()
    preparer = Preparer(settings, read_vocabulary(Path(settings.shards.output_dir)), storage)
    files = plan_inputs(settings.corpora, storage)
    return [document for file in files for document in preparer.prepare(preparer.read(file))]


def segments(columns: dict[str, np.ndarray]):
    """A and B before masking, as strings of one character a token, and the label, 0 where there is none."""
    labels = columns.get("next_sentence_labels", np.zeros((len(columns["input_word_ids"]), 1), np.int64))
    ids = columns["input_word_ids"].copy()
    used = columns["masked_lm_weights"] == 1
    ids[np.nonzero(used)[0], columns["masked_lm_positions"][used]] = columns["masked_lm_ids"][used]
    lengths, b_lengths = columns["input_mask"].sum(axis=1), columns["input_type_ids"].sum(axis=1)
    for row, length, b_length, (label,) in zip(ids, lengths, b_lengths, labels, strict=True):
        a, b = row[1 : length - b_length - 1], row[length - b_length : length - 1]
        yield "".join(map(chr, a)), "".join(map(chr, b)), int(label)


def test_two_processes_give_the_bytes_of_one(sample, tmp_path):
    assert run(tmp_path / "out", "--dupe_factor=3", "--direct_num_workers=2") == 0
    assert (tmp_path / "out" / "manifest.json").read_bytes() == (sample / "manifest.json").read_bytes()


@pytest.mark.parametrize("processes", [1, 2])
def test_the_engines_shuffle_gives_the_bytes_of_the_one_by_files(sample, tmp_path, processes):
    assert run(tmp_path / "out", "--dupe_factor=3", "--shuffle=engine", f"--direct_num_workers={processes}") == 0
    assert (tmp_path / "out" / "manifest.json").read_bytes() == (sample / "manifest.json").read_bytes()


def test_tokens_that_were_kept_are_taken_for_another_dataset(sample, tmp_path, capsys, monkeypatch):
    tokens = f"--tokens_dir={tmp_path / 'tokens'}"
    assert run(tmp_path / "long", "--max_seq_length=512", tokens) == 0
    assert "taking them from there" not in capsys.readouterr().err
    monkeypatch.setattr(Preparer, "prepare", None)  # nothing is tokenized again
    assert run(tmp_path / "out", "--dupe_factor=3", tokens) == 0
    assert "taking them from there" in capsys.readouterr().err
    assert (tmp_path / "out" / "manifest.json").read_bytes() == (sample / "manifest.json").read_bytes()
    with pytest.raises(ValueError, match="holds the tokens of other text or settings"):
        run(tmp_path / "other", "--random_seed=1", tokens)
    with pytest.raises(ValueError, match="holds files that are no tokens"):
        run(tmp_path / "other", f"--tokens_dir={tmp_path / 'out'}")
    assert not (tmp_path / "out" / "_unfinished").exists()


def test_renamed_split_and_reordered_files_give_the_same_bytes(sample, tmp_path):
    corpus = tmp_path / "corpus"
    shutil.copytree(SAMPLES, corpus)
    for number, path in enumerate(sorted((corpus / "articles").iterdir(), reverse=True)):
        path.rename(corpus / f"{number:03d}.txt")
    documents = gzip.decompress((corpus / "reports.paragraphs.txt.gz").read_bytes()).split(b"\n\n")
    (corpus / "a.paragraphs.txt").write_bytes(b"\n\n".join(documents[6:]))
    (corpus / "z.paragraphs.txt").write_bytes(b"\n\n".join(documents[:6]))
    (corpus / "reports.paragraphs.txt.gz").unlink()
    notes = (corpus / "notes.lines.txt").read_text().splitlines()
    (corpus / "notes.lines.txt").write_text("\n".join(reversed(notes)))
    assert run(tmp_path / "out", "--dupe_factor=3", inputs=[f"{corpus}/**"]) == 0
    assert (tmp_path / "out" / "manifest.json").read_bytes() == (sample / "manifest.json").read_bytes()


def test_another_seed_gives_other_bytes_and_a_copy_of_a_document_does_not(sample, tmp_path):
    assert run(tmp_path / "seed", "--dupe_factor=3", "--random_seed=1") == 0
    assert not set(shard_sums(tmp_path / "seed")) & set(shard_sums(sample))
    copy = tmp_path / "copy.txt"
    shutil.copy(next((SAMPLES / "articles").iterdir()), copy)
    assert run(tmp_path / "twice", "--dupe_factor=3", inputs=[f"{SAMPLES}/**", str(copy)]) == 0
    assert shard_sums(tmp_path / "twice") == shard_sums(sample)
    (rejection,) = map(json.loads, (tmp_path / "twice" / "rejects" / "duplicate.jsonl").read_text().splitlines())
    assert rejection["reason"] == "duplicate"
    assert "same text as" in rejection["detail"]


def test_validation_documents_are_kept_apart(tmp_path):
    assert run(tmp_path, "--dupe_factor=2", "--validation_fraction=0.3", "--compression=gzip") == 0
    manifest = read_manifest(tmp_path)
    assert [len(manifest.shards[split]) for split in ("train", "validation")] == [2, 1]
    parts = {}
    for split, shards in manifest.shards.items():
        columns = read_columns(tmp_path, [shard.name for shard in shards])
        check_exact_invariants(columns, read_vocabulary(tmp_path), masked_lm_prob=0.15, slots=20)
        parts[split] = {text for a, b, _ in segments(columns) for text in (a, b) if len(text) > 12}
    assert not parts["train"] & parts["validation"]


@pytest.mark.parametrize(
    ("seen", "ending"),
    [
        pytest.param("_unfinished/tokens/*.json", signal.SIGKILL, id="killed while preparing"),
        pytest.param("train-*", signal.SIGKILL, id="killed while building"),
        pytest.param("_unfinished/tokens/*.json", signal.SIGINT, id="interrupted while preparing"),
    ],
)
def test_ended_and_started_again_gives_the_bytes_of_an_undisturbed_run(
    tmp_path, undisturbed, seen, ending, monkeypatch
):
    inputs, expected = undisturbed
    output, temporary = tmp_path / "out", tmp_path / "temporary"
    temporary.mkdir()
    arguments = [*inputs, f"--output_dir={output}"]
    code = "from pipelines.make_pretraining_data import entry; entry()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, "--direct_num_workers=2"],
        cwd=REPOSITORY,
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A process started in the background may be told to ignore it, and its children then are, too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (no thread holds a lock here)
    )
    wait_for(lambda: any(output.glob(seen)) or process.poll() is not None)
    if ending is signal.SIGKILL:
        process.kill()
        assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    else:
        os.killpg(process.pid, ending)  # as a terminal does
        assert process.stderr.read() == b"Interrupted; nothing partial was left under a final name.\n"
        assert process.wait() == 1
    wait_for(lambda: not is_running(process.pid), seconds=20)
    assert not is_running(process.pid), "its workers went on"
    assert not list(temporary.glob("mlm-data-*"))
    sizes = {shard.name: shard.size for shard in expected.shards["train"]}
    for path in output.glob("train-*"):  # what has a final name is whole
        assert path.stat().st_size == sizes[path.name]
    assert not (output / "manifest.json").exists()

    done = {path.name.removesuffix(".json") for path in output.glob("_unfinished/tokens/*.json")}
    stored: list[str] = []
    store = StoreTokens._store
    monkeypatch.setattr(StoreTokens, "_store", lambda self, task: stored.append(task.name) or store(self, task))
    assert main([*arguments, "--direct_num_workers=1"]) == 0
    assert done
    assert not done & set(stored), "what was prepared was prepared again"
    assert read_manifest(output) == expected
    assert not (output / "_unfinished").exists()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[list[str], Manifest]:
    """Arguments of a run that takes a while and has several tasks, and what comes of it."""
    directory = tmp_path_factory.mktemp("undisturbed")
    article = (SAMPLES / "articles" / "salt.txt").read_text()
    for name in ("a", "b", "c"):
        copies = (f"Number {name} {number}.\n{article}".replace("\n\n", "\n") for number in range(4000))
        (directory / f"{name}.paragraphs.txt").write_text("\n\n".join(copies))
    inputs = [f"--input={directory}/*.txt", f"--vocab_file={VOCABULARY}", "--dupe_factor=2"]
    assert main([*inputs, f"--output_dir={directory / 'out'}", "--direct_num_workers=1"]) == 0
    return inputs, read_manifest(directory / "out")


def is_running(group: int) -> bool:
    """Whether a group has any process, but for those that have ended and nobody asked about."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group = path.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(of_group) == group and state != "Z":
            return True
    return False


def wait_for(condition, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)


def test_a_finished_dataset_is_left_alone_and_others_are_not_mixed(sample, tmp_path, capsys):
    shutil.copytree(sample, tmp_path / "out")
    shard = tmp_path / "out" / "train-00000-of-00003.tfrecord"
    os.utime(shard, (0, 0))
    assert run(tmp_path / "out", "--dupe_factor=3") == 0
    assert "already holds this very dataset" in " ".join(capsys.readouterr().err.split())
    assert shard.stat().st_mtime == 0
    with pytest.raises(ValueError, match="a dataset of other input or settings"):
        run(tmp_path / "out", "--dupe_factor=1")
    (tmp_path / "out" / "mine.txt").write_text("not yours")
    assert run(tmp_path / "out", "--dupe_factor=1", "--overwrite") == 0
    assert (tmp_path / "out" / "mine.txt").exists()
    assert [path.name for path in (tmp_path / "out").glob("train-*")] == ["train-00000-of-00001.tfrecord"]


def test_bad_files_are_rejected_by_name_and_the_run_goes_on(tmp_path, capsys):
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "program.txt").write_bytes(b"\x7fELF\x00\x01" + bytes(range(256)) * 50)
    (tmp_path / "long.txt").write_bytes(b"x" * 10_000_000)
    (tmp_path / "damaged.txt.gz").write_bytes(gzip.compress(b"some text. " * 500)[:40])
    inputs = [f"{SAMPLES}/**", f"{tmp_path}/*.*"]
    assert run(tmp_path / "stopped", inputs=inputs) == 1
    message = " ".join(capsys.readouterr().err.split())
    assert "2 of 72 documents could not be read (2.78%), more than --max_error_rate 0.01" in message
    assert "program.txt, document 0: binary" in message
    assert not (tmp_path / "stopped" / "manifest.json").exists()

    assert run(tmp_path / "out", "--dupe_factor=1", "--max_error_rate=0.1", inputs=inputs) == 0
    documents = json.loads((tmp_path / "out" / "statistics.json").read_text())["documents"]
    assert documents["rejections"] == {"binary": 1, "empty": 1, "single_sentence": 1, "unreadable": 1}
    assert {path.name for path in (tmp_path / "out" / "rejects").iterdir()} == {
        f"{reason}.jsonl" for reason in documents["rejections"]
    }


def test_one_document_is_too_few_for_next_sentence_prediction(tmp_path, capsys):
    assert run(tmp_path / "out", "--limit=1", inputs=[f"{SAMPLES}/articles/*.txt"]) == 1
    assert "Objective nsp needs at least two documents" in " ".join(capsys.readouterr().err.split())
    assert run(tmp_path / "sop", "--objective=sop", "--limit=1", inputs=[f"{SAMPLES}/articles/*.txt"]) == 0


def test_one_sentence_is_enough_to_hide_tokens_in(tmp_path, capsys):
    (tmp_path / "one.txt").write_text("A document of one sentence.\n")
    assert run(tmp_path / "sop", "--objective=sop", inputs=[f"{tmp_path}/one.txt"]) == 1
    printed = " ".join(capsys.readouterr().err.split())
    assert "1 single_sentence. Objective sop needs a document of at least two sentences" in printed
    assert run(tmp_path / "mlm", "--objective=mlm", "--dupe_factor=1", inputs=[f"{tmp_path}/one.txt"]) == 0
    assert [shard.records for shard in read_manifest(tmp_path / "mlm").shards["train"]] == [1]


def test_an_empty_validation_split_is_not_passed_over(tmp_path, capsys):
    assert run(tmp_path / "out", "--dupe_factor=1", "--validation_fraction=0.01") == 1
    assert "--validation_fraction 0.01 of 68 documents is too little" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input=nowhere/*.txt"], "nowhere/*.txt"),
        (["--vocab_file=nowhere.txt"], "nowhere.txt"),
        (["--max_seq_lenght=64"], "did you mean --max_seq_length?"),
        (["--output_dir=/proc/out"], "cannot be written to"),
        (["--max_predictions_per_seq=126"], "lower the first or raise the second"),
        (["--language=english"], "english"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_work(tmp_path, arguments, message):
    given = [f"--input={SAMPLES}/articles/*", f"--vocab_file={VOCABULARY}", f"--output_dir={tmp_path / 'out'}"]
    kept = [flag for flag in given if flag.partition("=")[0] != arguments[0].partition("=")[0]]
    code = "from pipelines.make_pretraining_data import entry; entry()"
    result = subprocess.run(
        [sys.executable, "-c", code, *kept, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_vocabulary_without_mask_is_refused(tmp_path):
    pieces = [piece for piece in VOCABULARY.read_text().splitlines() if piece != "[MASK]"]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces))
    with pytest.raises(ValueError, match=r"\[MASK\]"):
        main([f"--input={SAMPLES}/**", f"--vocab_file={tmp_path / 'vocab.txt'}", f"--output_dir={tmp_path / 'out'}"])
    assert not (tmp_path / "out").exists()


def test_the_plan_writes_nothing_and_foretells_the_run(sample, tmp_path, capsys):
    assert run(tmp_path / "out", "--dupe_factor=3", "--plan") == 0
    assert not (tmp_path / "out").exists()
    printed = " ".join(capsys.readouterr().out.split())
    assert "lines (auto)" in printed
    expected = int(printed.partition("about ")[2].partition("records │ about ")[2].partition(" ")[0].replace(",", ""))
    made = sum(shard.records for shard in read_manifest(sample).shards["train"])
    assert 0.8 < expected / made < 1.25


def test_settings_come_from_a_file_and_flags_overrule_it(tmp_path):
    config = tmp_path / "run.toml"
    config.write_text(
        f'input = ["{SAMPLES}/**"]\nvocab_file = "{VOCABULARY}"\noutput_dir = "{tmp_path / "out"}"\n'
        f"dupe_factor = 9\nmax_seq_length = 64\nmax_predictions_per_seq = 10\n"
    )
    assert main([f"--config={config}", "--dupe-factor=1", "--feature_names=v1"]) == 0
    manifest = read_manifest(tmp_path / "out")
    assert (manifest.dupe_factor, manifest.max_seq_length, manifest.feature_names) == (1, 64, "v1")


@pytest.mark.skipif(not REAL_DATA.exists(), reason=f"the real corpora are not at {REAL_DATA}")
def test_real_text_keeps_all_invariants_and_labels_cannot_be_guessed(tmp_path):
    inputs = [f"paragraphs:{REAL_DATA}/law/*.txt", f"{REAL_DATA}/wikitext-2/valid.txt", f"{REAL_DATA}/novels/B*.txt"]
    assert run(tmp_path / "out", "--dupe_factor=1", inputs=inputs) == 0
    columns = read_columns(tmp_path / "out", shard_names(tmp_path / "out"))
    check_exact_invariants(columns, read_vocabulary(tmp_path / "out"), masked_lm_prob=0.15, slots=20)
    labels = columns["next_sentence_labels"][:, 0]
    assert abs(labels.mean() - 0.5) < 1e-4
    check_statistics(columns, read_vocabulary(tmp_path / "out"))
    score = probe_surface(columns, read_vocabulary(tmp_path / "out").is_continuation)
    assert abs(score - 0.5) < 0.02


def check_statistics(columns: dict[str, np.ndarray], vocabulary: Vocabulary) -> None:
    """80/10/10, and positions and replacements drawn uniformly, within what chance allows once in a million."""
    used = columns["masked_lm_weights"] == 1
    rows, positions = np.nonzero(used)[0], columns["masked_lm_positions"][used]
    now, original = columns["input_word_ids"][rows, positions], columns["masked_lm_ids"][used]
    ordinary = vocabulary.ordinary_ids
    hidden = now == vocabulary.mask_id
    assert binomtest(int(hidden.sum()), len(now), 0.8).pvalue > 1e-6
    assert binomtest(int((now == original).sum()), len(now), 0.1 + 0.1 / len(ordinary)).pvalue > 1e-6

    rank = np.searchsorted(ordinary, now[~hidden & (now != original)])
    assert (ordinary[rank] == now[~hidden & (now != original)]).all()
    groups = 100 * rank // len(ordinary)  # of about 300 tokens each, so that every group is drawn often
    sizes = np.bincount(100 * np.arange(len(ordinary)) // len(ordinary))
    assert chisquare(np.bincount(groups), sizes * len(rank) / len(ordinary)).pvalue > 1e-6

    full = columns["input_mask"].sum(axis=1) == 128  # here every token has the same chance
    separators = 127 - columns["input_type_ids"][full].sum(axis=1)
    candidates = full.sum() - np.bincount(separators, minlength=128)
    candidates[[0, 127]] = 0
    chosen = np.bincount(positions[full[rows]], minlength=128)
    some = candidates > 0
    expected = candidates[some] * chosen.sum() / candidates.sum()
    assert chisquare(chosen[some], expected).pvalue > 1e-6


def probe_surface(columns: dict[str, np.ndarray], is_continuation: np.ndarray) -> float:
    """How well lengths and the kinds of boundary pieces tell the label: area under the ROC curve."""
    ids, labels = columns["input_word_ids"], columns["next_sentence_labels"][:, 0]
    lengths, b_lengths = columns["input_mask"].sum(axis=1), columns["input_type_ids"].sum(axis=1)
    a_lengths, rows = lengths - b_lengths, np.arange(len(ids))
    boundary = [ids[:, 1], ids[rows, a_lengths - 2], ids[rows, a_lengths], ids[rows, lengths - 2]]
    features = np.stack(
        [lengths, a_lengths, b_lengths, np.abs(a_lengths - b_lengths), *(is_continuation[ids] for ids in boundary)],
        axis=1,
    ).astype(float)
    half = len(labels) // 2
    probe = LogisticRegression(max_iter=2000).fit(features[:half], labels[:half])
    return float(roc_auc_score(labels[half:], probe.decision_function(features[half:])))
