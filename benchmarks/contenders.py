"""Who is measured, and by which command."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from benchmarks.text import BenchmarkText

REPOSITORY = Path(__file__).parents[1]
OURS = "mlm-data"
_MASKED_LM_PROB = 0.15


@dataclass(frozen=True)
class DatasetSettings:
    """What kind of dataset is made; the names are those of `make-pretraining-data`'s flags."""

    vocab_file: str
    dupe_factor: int
    max_seq_length: int
    max_predictions_per_seq: int

    @classmethod
    def of_length(cls, vocab_file: str, dupe_factor: int, max_seq_length: int) -> Self:
        """With room for 15 % of the longest instance's tokens, rounded up: 20 of 128, 77 of 512."""
        return cls(vocab_file, dupe_factor, max_seq_length, math.ceil(_MASKED_LM_PROB * max_seq_length))

    def to_arguments(self) -> list[str]:
        """As this project and google-research/bert both take them."""
        return [f"--{name}={value}" for name, value in vars(self).items()]


@dataclass(frozen=True)
class Checkouts:
    """Where the baselines are.

    Attributes:
        bert: directory of google-research/bert; None where there is none.
        bert_python: a Python that has TensorFlow 2.
        lddl: directory of NVIDIA/LDDL; None where there is none.
    """

    bert: str | None = None
    bert_python: str = sys.executable
    lddl: str | None = None


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


def ours(settings: DatasetSettings, processes: int = 1) -> Contender:
    """This project: raw text to shards, as its console script does it."""
    entry = "from pipelines.make_pretraining_data import entry; entry()"

    def command(text: BenchmarkText, output: Path) -> list[str]:
        inputs = [f"--input={pattern}" for pattern in text.inputs]
        own = [f"--output_dir={output}", f"--direct_num_workers={processes}"]
        return [sys.executable, "-c", entry, *inputs, *own, *settings.to_arguments()]

    return Contender(OURS, "raw text to shards", command)


def baselines(settings: DatasetSettings, checkouts: Checkouts) -> list[Contender]:
    """All that ours is compared with, those that are missing too."""
    return [
        google_bert(settings, checkouts),
        nvidia_lddl(settings, checkouts),
        tokenizers_alone(settings, "encode_batch"),
        tokenizers_alone(settings, "encode_batch_fast"),
    ]


def google_bert(settings: DatasetSettings, checkouts: Checkouts) -> Contender:
    """google-research/bert's `create_pretraining_data.py`, from a checkout."""
    checkout, python = checkouts.bert, checkouts.bert_python
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


def nvidia_lddl(settings: DatasetSettings, checkouts: Checkouts) -> Contender:
    """NVIDIA LDDL's functions that tokenize, pair and mask, from a checkout; without Dask, shuffle and Parquet."""
    checkout = checkouts.lddl
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


def tokenizers_alone(settings: DatasetSettings, method: str) -> Contender:
    """The `tokenizers` library on one thread, which makes ids of sentences and nothing else."""

    def command(text: BenchmarkText, output: Path) -> list[str]:  # noqa: ARG001 (it writes nothing)
        module = [sys.executable, "-m", "benchmarks.tokenizers_alone", method]
        return [*module, text.sentences_file, settings.vocab_file]

    one_thread = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
    return Contender(f"tokenizers {method}", "sentences to ids only", command, one_thread)


def _has_module(python: str, module: str) -> bool:
    # Found, not imported: importing TensorFlow takes many seconds.
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    try:
        return subprocess.run([python, "-c", code], check=False, capture_output=True).returncode == 0
    except OSError:
        return False
