"""Compares the instances of `--parity bert` with those of google-research/bert's own script on the same text.

    python tests/peers/google_bert.py --bert ../bert --input 'samples/corpus/**' --vocab_file vocab/en-uncased-30k.txt

Needs tensorflow and a checkout of google-research/bert, whose script runs unchanged. Both make as many passes over one
file of sentences; instances of a pass depend on one another (a document has one target length), passes do not. So tests
compare passes: if both have one law, the passes of the two can change places, and the largest difference of cumulated
shares (Kolmogorov-Smirnov's) is seldom larger than it is for other divisions of them into two halves. As a control the
same tests are made with this program's own law, which they must tell apart.

Exit status: 0 none of the tests tells the two apart, 1 one does, 2 usage, or something to compare with is missing.
"""
# ruff: noqa: T201  (a program, which speaks by printing)

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from benchmarks.contenders import Checkouts, DatasetSettings, google_bert
from benchmarks.text import BenchmarkText, take_text
from mlm_data.examples import decode_example
from mlm_data.manifest import MANIFEST, Manifest
from mlm_data.shards import read_records
from mlm_data.storage import LocalStorage
from mlm_data.vocabulary import Vocabulary

ALPHA = 1e-3  # of all tests together
PASSES = 10  # of each program: 184,756 divisions, so that p can be as small as 1e-5
SENTENCES_PER_DOCUMENT = 40
LENGTH = 128

Histogram = NDArray[np.int64]


def cut_documents(sentences_file: Path) -> None:
    """Divides long documents in place: with few of them, chance alone puts two passes far apart."""
    documents = [document.splitlines() for document in sentences_file.read_text(encoding="utf-8").split("\n\n")]
    parts = [
        "\n".join(document[start : start + SENTENCES_PER_DOCUMENT])
        for document in documents
        for start in range(0, len(document), SENTENCES_PER_DOCUMENT)
    ]
    sentences_file.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def run_ours(text: BenchmarkText, vocab_file: str, output: Path, *arguments: str) -> list[Path]:
    """The shards of one run, a pass each."""
    entry = "from pipelines.make_pretraining_data import entry; entry()"
    inputs = [f"--input=sentences:{text.sentences_file}", f"--vocab_file={vocab_file}", f"--output_dir={output}"]
    numbers = [f"--dupe_factor={PASSES}", "--num_shards=1", f"--max_seq_length={LENGTH}"]
    command = [sys.executable, "-c", entry, *inputs, *numbers, "--feature_names=v1", *arguments]
    run_quietly(command, {})
    manifest = Manifest.from_json((output / MANIFEST).read_bytes())
    return [output / shard.name for shard in manifest.shards["train"]]


def run_theirs(text: BenchmarkText, vocab_file: str, output: Path, checkout: str | None) -> list[Path]:
    """The shards of as many runs as there are passes, each with a seed of its own."""
    settings = DatasetSettings.of_length(vocab_file, 1, LENGTH)
    return [
        shard
        for seed in range(PASSES)
        for shard in run_script(settings, text, output / str(seed), checkout, f"--random_seed={seed}")
    ]


def run_script(
    settings: DatasetSettings, text: BenchmarkText, output: Path, checkout: str | None, *arguments: str
) -> list[Path]:
    """The shards of one run of the script."""
    peer = google_bert(settings, Checkouts(checkout))
    if peer.missing:
        print(f"{peer.name} is missing: {peer.missing}", file=sys.stderr)
        raise SystemExit(2)
    output.mkdir(parents=True)
    run_quietly([*peer.command(text, output), *arguments], peer.environment)
    return sorted(output.iterdir())


def run_quietly(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Runs a command and shows what it said if it fails."""
    variables, root = {**os.environ, **environment}, Path(__file__).parents[2]
    result = subprocess.run(command, env=variables, cwd=root, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"{' '.join(command)} failed with status {result.returncode}:\n{result.stderr}")


def measure(shard: Path, vocabulary: Vocabulary) -> dict[str, Histogram]:
    """What is compared of one pass: counts by value."""
    records = [decode_example(record) for record in read_records(LocalStorage(), str(shard))]
    columns = {name: np.stack([record[name] for record in records]) for name in records[0]}
    used = columns["masked_lm_weights"] == 1
    positions, originals = columns["masked_lm_positions"][used], columns["masked_lm_ids"][used]
    now = columns["input_ids"][np.nonzero(used)[0], positions]
    lengths, b_lengths = columns["input_mask"].sum(axis=1), columns["segment_ids"].sum(axis=1) - 1
    a_lengths, labels = lengths - b_lengths - 3, columns["next_sentence_labels"][:, 0]
    is_random = (now != vocabulary.mask_id) & (now != originals)
    measured = {
        "length": lengths,
        "length of A": a_lengths,
        "length of B": b_lengths,
        "label": labels,
        **{f"length of A, label {label}": a_lengths[labels == label] for label in (0, 1)},
        **{f"length of B, label {label}": b_lengths[labels == label] for label in (0, 1)},
        "predicted tokens": used.sum(axis=1),
        "predicted positions": positions,
        "[MASK], other or kept": np.where(now == vocabulary.mask_id, 0, np.where(is_random, 1, 2)),
        "special or [unused] among others": (~np.isin(now[is_random], vocabulary.ordinary_ids)).astype(int),
    }
    return {name: np.bincount(values, minlength=LENGTH + 1) for name, values in measured.items()}


def compare(ours: Sequence[Histogram], theirs: Sequence[Histogram]) -> float:
    """Share of all divisions of the passes into two halves with a difference as large as that of ours and theirs."""
    passes = np.stack([*ours, *theirs]).astype(float)
    total = passes.sum(axis=0)
    halves = np.array(list(itertools.combinations(range(len(passes)), len(ours))))
    gaps = np.concatenate([_gaps(passes, total, some) for some in np.array_split(halves, 100)])
    return float((gaps >= gaps[0] - 1e-12).mean())  # the first division is the one into ours and theirs


def _gaps(passes: NDArray[np.float64], total: NDArray[np.float64], halves: NDArray[np.int64]) -> NDArray[np.float64]:
    """The largest difference of cumulated shares between each half and the rest."""
    belongs = np.zeros((len(halves), len(passes)))
    np.put_along_axis(belongs, halves, 1.0, axis=1)
    one = belongs @ passes
    other = total - one
    difference = np.cumsum(one, axis=1) / one.sum(axis=1, keepdims=True)
    difference -= np.cumsum(other, axis=1) / other.sum(axis=1, keepdims=True)
    return np.asarray(np.abs(difference).max(axis=1))


def compare_all(ours: Sequence[dict[str, Histogram]], theirs: Sequence[dict[str, Histogram]]) -> dict[str, float]:
    """The p-value of each test by what it compares."""
    instances = [[int(part["label"].sum()) for part in parts] for parts in (ours, theirs)]
    return {"instances": float(mannwhitneyu(*instances).pvalue)} | {
        name: compare([part[name] for part in ours], [part[name] for part in theirs]) for name in theirs[0]
    }


def mean_of(parts: Sequence[dict[str, Histogram]], name: str) -> float:
    """The mean over all passes; of the instances, their number in a pass."""
    if name == "instances":
        return sum(int(part["label"].sum()) for part in parts) / len(parts)
    counts = sum((part[name] for part in parts), start=np.zeros(LENGTH + 1, np.int64))
    return float(counts @ np.arange(LENGTH + 1) / counts.sum())


def parse(arguments: Sequence[str], description: str) -> argparse.Namespace:
    """The arguments of a program that runs the script."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--bert", help="checkout of google-research/bert")
    parser.add_argument("--input", nargs="+", required=True, help="text, as make-pretraining-data takes it")
    parser.add_argument("--vocab_file", required=True)
    parser.add_argument("--megabytes", type=float, default=2.0)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Runs both programs and prints a table of p-values."""
    flags = parse(arguments, "Compares --parity bert with google-research/bert.")
    vocabulary = Vocabulary.load(flags.vocab_file, LocalStorage())
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        text = take_text(flags.input, "auto", flags.megabytes, directory / "text")
        cut_documents(Path(text.sentences_file))
        theirs = run_theirs(text, flags.vocab_file, directory / "theirs", flags.bert or None)
        ours = run_ours(text, flags.vocab_file, directory / "ours", "--parity=bert")
        control = run_ours(text, flags.vocab_file, directory / "control")
        measured = [[measure(shard, vocabulary) for shard in shards] for shards in (ours, theirs, control)]
    found, controlled = compare_all(measured[0], measured[1]), compare_all(measured[2], measured[1])
    limit = ALPHA / len(found)
    print(
        f"{text.megabytes:.1f} MB, {PASSES} passes of each; alpha {ALPHA:g} over {len(found)} tests: {limit:.1e} each"
    )
    print(f"{'':34}{'mean: ours':>12}{'bert':>12}{'p':>10}{'p without --parity':>20}")
    for test, value in found.items():
        means = "".join(f"{mean_of(part, test):12.4f}" for part in measured[:2])
        print(f"{test:34}{means}{value:10.4f}{controlled[test]:20.6f}")
    is_alike, can_tell = min(found.values()) >= limit, controlled["label"] < limit
    print("no test tells the two apart" if is_alike else "DIFFERENT  see above")
    if not can_tell:
        print("DIFFERENT  the control was not told apart either: too little text")
    return 0 if is_alike and can_tell else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
