"""Every command in the README does what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pipelines import make_pretraining_data
from tests.tiny_bert import needs_tensorflow, needs_text_ops
from tests.told import PROGRAMS, REPOSITORY, lend_samples, told_commands

# In the order in which the README has them; training is made short.
OF_MODELS = {"train-bert": ["--num_train_steps=1", "--batch_size=2"], "evaluate": [], "fill-mask": []}


def commands() -> list[list[str]]:
    return told_commands("README.md")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A directory to run commands in."""
    return lend_samples(tmp_path_factory.mktemp("readme"))


def test_programs_run_as_the_readme_says(place, monkeypatch):
    monkeypatch.chdir(place)
    names = PROGRAMS.keys() - OF_MODELS.keys()
    here = [words for words in commands() if words[0] in names and "--runner" not in words]
    assert {words[0] for words in here} == names
    for program, *arguments in here:
        assert PROGRAMS[program](arguments) == 0, shlex.join([program, *arguments])


@needs_tensorflow
def test_programs_of_models_run_as_the_readme_says(place, monkeypatch):
    monkeypatch.chdir(place)  # where the data is that they train on
    here = [words for words in commands() if words[0] in OF_MODELS]
    assert [words[0] for words in here] == list(OF_MODELS)
    for program, *arguments in here:
        assert PROGRAMS[program]([*arguments, *OF_MODELS[program]]) == 0, shlex.join([program, *arguments])


@needs_tensorflow
@needs_text_ops
def test_exports_open_as_the_readme_says(place):
    (lines,) = re.findall(r"```python\n(.+?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    said = subprocess.run([sys.executable, "-c", lines], cwd=place, capture_output=True, text=True, check=True).stdout
    assert "shape=(1, 2, 5)" in said  # of the model that the commands above made


def test_the_command_for_a_cluster_is_understood():
    (words,) = [words for words in commands() if "--runner" in words]
    _, settings, beam_arguments = make_pretraining_data.parse_arguments(words[1:])
    assert settings.shards.output_dir == "gs://bucket/out"
    assert beam_arguments[:2] == ["--runner", "DataflowRunner"]


def test_make_and_pip_are_called_by_what_ci_calls():
    called = {" ".join(words) for words in commands() if words[0] in ("make", "pip")}
    assert called == {"make demo", "make test", "pip install ."}
    ci = (REPOSITORY / ".ci" / "run").read_text()
    for command in called:
        assert command in ci


def test_the_programs_of_the_readme_are_the_ones_installed():
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts.keys() == PROGRAMS.keys()


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_help_is_worth_reading(name, capsys):
    with pytest.raises(SystemExit) as end:
        PROGRAMS[name](["--help"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert "examples:" in printed
    assert "exit status" in printed
