"""Who is measured, by which command, and what each took."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.text import BenchmarkText

REPOSITORY = Path(__file__).parents[1]
OURS = "mlm-data"
_RECORD_HEADER = struct.Struct("<Q4x")  # length and its checksum
_RECORD_FOOTER_BYTES = 4


@dataclass(frozen=True)
class DatasetSettings:
    """What kind of dataset is made; the names are those of `make-pretraining-data`'s flags."""

    vocab_file: str
    dupe_factor: int
    max_seq_length: int
    max_predictions_per_seq: int

    def to_arguments(self) -> list[str]:
        """As this project and google-research/bert both take them."""
        return [f"--{name}={value}" for name, value in vars(self).items()]


@dataclass(frozen=True)
class Contender:
    """One program to measure.

    Attributes:
        name: as tables show it.
        does: what of the work it does.
        command: its command line for a text and an output directory.
        environment: variables it needs.
        missing: why it cannot be measured; empty where it can.
    """

    name: str
    does: str
    command: Callable[[BenchmarkText, Path], list[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""


@dataclass(frozen=True)
class Usage:
    """What one run of a command took.

    Attributes:
        cpu_seconds: user and system time of all its processes.
        wall_seconds: from beginning to end.
        peak_bytes: largest resident set of one of its processes.
        records: TFRecords it wrote.
    """

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int
    records: int


class ContenderFailedError(Exception):
    """A contender's command did not end well; the message says how."""


def ours(settings: DatasetSettings) -> Contender:
    """This project: raw text to shards, as its console script does it, in one process."""
    entry = "from pipelines.make_pretraining_data import entry; entry()"

    def command(text: BenchmarkText, output: Path) -> list[str]:
        inputs = [f"--input={pattern}" for pattern in text.inputs]
        own = [f"--output_dir={output}", "--direct_num_workers=1"]
        return [sys.executable, "-c", entry, *inputs, *own, *settings.to_arguments()]

    return Contender(OURS, "raw text to shards", command)


def google_bert(settings: DatasetSettings, checkout: str | None, python: str) -> Contender:
    """google-research/bert's `create_pretraining_data.py`, from a checkout."""
    script = Path(checkout or "", "create_pretraining_data.py").absolute()
    missing = ""
    if checkout is None:
        missing = "no --bert DIR given, a checkout of google-research/bert"
    elif not script.is_file():
        missing = f"--bert {checkout} holds no create_pretraining_data.py"
    elif not _has_module(python, "tensorflow"):
        missing = f"{python} has no tensorflow; --bert_python names one that has"

    def command(text: BenchmarkText, output: Path) -> list[str]:
        files = [f"--input_file={text.sentences_file}", f"--output_file={output / 'bert.tfrecord'}"]
        shim = str(REPOSITORY / "benchmarks" / "bert_shim.py")
        return [python, shim, str(script), *files, *settings.to_arguments()]

    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    return Contender("google-research/bert", "sentences to shards", command, quiet, missing)


def tokenizers_alone(settings: DatasetSettings, method: str) -> Contender:
    """The `tokenizers` library on one thread, which makes ids of sentences and nothing else."""

    def command(text: BenchmarkText, output: Path) -> list[str]:  # noqa: ARG001 (it writes nothing)
        module = [sys.executable, "-m", "benchmarks.tokenizers_alone", method]
        return [*module, text.sentences_file, settings.vocab_file]

    one_thread = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
    return Contender(f"tokenizers {method}", "sentences to ids only", command, one_thread)


def nvidia_lddl(settings: DatasetSettings, checkout: str | None) -> Contender:
    """NVIDIA LDDL's functions that tokenize, pair and mask, from a checkout; without Dask, shuffle and Parquet."""
    script = Path(checkout or "", "lddl", "dask", "bert", "pretrain.py").absolute()
    missing = ""
    if checkout is None:
        missing = "no --lddl DIR given, a checkout of NVIDIA/LDDL"
    elif not script.is_file():
        missing = f"--lddl {checkout} holds no lddl/dask/bert/pretrain.py"

    def command(text: BenchmarkText, output: Path) -> list[str]:  # noqa: ARG001 (it writes nothing)
        shim = [sys.executable, "-m", "benchmarks.lddl_shim", str(script.parents[3])]
        numbers = [str(settings.dupe_factor), str(settings.max_seq_length)]
        return [*shim, text.sentences_file, settings.vocab_file, *numbers]

    return Contender("NVIDIA LDDL functions", "sentences to pairs in memory", command, missing=missing)


def measure(contender: Contender, text: BenchmarkText, directory: Path) -> Usage:
    """Runs a contender once.

    Args:
        contender: one that is not missing.
        text: what it is given.
        directory: a new one, for what it writes.

    Raises:
        ContenderFailedError: its exit status is not 0.
    """
    output, log = directory / "output", directory / "log.txt"
    output.mkdir(parents=True)
    command = contender.command(text, output)
    launcher = [sys.executable, str(REPOSITORY / "benchmarks" / "measure.py"), str(log), *command]
    environment = {**os.environ, **contender.environment}
    done = subprocess.run(launcher, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    taken = json.loads(done.stdout)
    if status := taken.pop("status"):
        said = log.read_text(errors="replace").strip().splitlines()
        raise ContenderFailedError(f"exit status {status}: {said[-1] if said else 'it said nothing'}")
    return Usage(**taken, records=sum(map(count_records, output.glob("*.tfrecord"))))


def least(usages: Sequence[Usage]) -> Usage:
    """The run that took least CPU time: other work on the machine only ever adds to it."""
    return min(usages, key=lambda usage: usage.cpu_seconds)


def count_records(path: Path) -> int:
    """Records of an uncompressed TFRecord file, by their lengths alone."""
    records, place, size = 0, 0, path.stat().st_size
    with path.open("rb") as file:
        while place < size:
            file.seek(place)
            (length,) = _RECORD_HEADER.unpack(file.read(_RECORD_HEADER.size))
            place += _RECORD_HEADER.size + length + _RECORD_FOOTER_BYTES
            records += 1
    return records


def _has_module(python: str, module: str) -> bool:
    # Found, not imported: importing TensorFlow takes many seconds.
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    try:
        return subprocess.run([python, "-c", code], check=False, capture_output=True).returncode == 0
    except OSError:
        return False
