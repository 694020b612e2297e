"""Runs this project's programs as one would type them, but in this process: TensorFlow takes seconds to start."""

from __future__ import annotations

import io
import json
import shlex
import sys
from contextlib import redirect_stdout
from typing import Any

from pipelines import evaluate, fill_mask, make_pretraining_data, train_bert

_PROGRAMS = {
    "make-pretraining-data": make_pretraining_data.main,
    "train-bert": train_bert.main,
    "evaluate": evaluate.main,
    "fill-mask": fill_mask.main,
}


def run(program: str, *arguments: object) -> None:
    """Says the command and runs it.

    Raises:
        SettingsError: the command cannot be meant.
        SystemExit: it failed; the program said why.
    """
    words = [str(argument) for argument in arguments]
    sys.stderr.write(f"\n$ {shlex.join([program, *words])}\n")
    status = _PROGRAMS[program](words)
    if status:
        raise SystemExit(status)


def ask(program: str, *arguments: object) -> Any:
    """What a program answers with `--json`."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        run(program, *arguments, "--json")
    return json.loads(printed.getvalue())
