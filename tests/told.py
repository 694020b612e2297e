"""The commands that texts for users tell, and how to run them in this process."""

from __future__ import annotations

import shlex
from pathlib import Path

from pipelines import evaluate, fill_mask, inspect_shards, make_pretraining_data, train_bert, train_vocab

REPOSITORY = Path(__file__).parents[1]
PROGRAMS = {
    "make-pretraining-data": make_pretraining_data.main,
    "inspect-shards": inspect_shards.main,
    "train-vocab": train_vocab.main,
    "train-bert": train_bert.main,
    "evaluate": evaluate.main,
    "fill-mask": fill_mask.main,
}


def told_commands(path: str) -> list[list[str]]:
    """The commands in a Markdown file, which are indented, or in a shell script: as words, continued lines joined."""
    indent = "    " if path.endswith(".md") else ""
    programs = (*PROGRAMS, "make", "pip", "python", "sh")
    lines = (REPOSITORY / path).read_text().replace("\\\n", " ").splitlines()
    told = [line for line in lines if line.startswith(tuple(f"{indent}{program} " for program in programs))]
    return [shlex.split(line, comments=True) for line in told]


def lend_samples(directory: Path) -> Path:
    """Makes a directory to run commands in."""
    for name in ("samples", "vocab"):
        (directory / name).symlink_to(REPOSITORY / name)
    return directory
