"""Runs a script written for TensorFlow 1 on TensorFlow 2, unchanged.

`python bert_shim.py CHECKOUT/create_pretraining_data.py --input_file=...`: the script finds TensorFlow's own
compatibility module under the name `tensorflow`.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def run_script(script: str, arguments: list[str]) -> None:
    """Runs a script as if it were called with these arguments, its own directory first among the places of modules."""
    # In place of this file's directory, whose modules could be taken for others of the same name.
    sys.path[0] = str(Path(script).resolve().parent)
    import tensorflow  # noqa: PLC0415 (only once the path is right)

    sys.modules["tensorflow"] = tensorflow.compat.v1
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    run_script(sys.argv[1], sys.argv[2:])
