"""The import law of ARCHITECTURE.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def test_every_room_is_named_in_the_import_contracts():
    contracts = (REPOSITORY / "pyproject.toml").read_text()
    rooms = {path.stem for path in (REPOSITORY / "mlm_data").iterdir() if path.suffix == ".py" or path.is_dir()}
    rooms -= {"__init__", "__pycache__", "py", "transforms"}
    assert {room for room in rooms if f'"mlm_data.{room}"' not in contracts} == set()


def test_imports_keep_the_law():
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    "module",
    [
        "mlm_data",
        *(f"pipelines.{name}" for name in ("inspect_shards", "train_bert", "evaluate", "fill_mask")),
        "pipelines.make_pretraining_data",
    ],
)
def test_nothing_heavy_is_imported_on_the_way(module):
    heavy = ["tensorflow", "keras", "matplotlib"]
    if module != "pipelines.make_pretraining_data":
        heavy.append("apache_beam")
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
