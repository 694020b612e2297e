from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.__main__ import main, make_parser, run, show
from benchmarks.contenders import Contender, DatasetSettings, google_bert
from benchmarks.results import Status, measure_contender
from benchmarks.stages import STAGES
from benchmarks.text import BenchmarkText, take_text
from mlm_data.config import CorporaSettings
from mlm_data.corpora import plan_inputs, read_documents
from mlm_data.storage import LocalStorage

REPOSITORY = Path(__file__).parents[1]
VOCABULARY = REPOSITORY / "vocab" / "en-uncased-30k.txt"
FIGURES = {"cpu_seconds", "fixed_cpu_seconds", "cpu_seconds_per_mb", "peak_bytes", "ratio_to_ours"}
TEXT = BenchmarkText((), "", 1_000_000, 1, 1, 1)


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    """Of one benchmark of the sample corpus: what it writes, and in `work` what it would delete."""
    directory = tmp_path_factory.mktemp("benchmark")
    arguments = ["--megabytes=0.1", "--dupe_factor=2", f"--vocab_file={VOCABULARY}", f"--output={directory}"]
    flags = make_parser().parse_args([f"--input={REPOSITORY}/samples/corpus/**", *arguments])
    show(run(flags, directory / "work"), directory)
    return directory


def test_what_was_measured_has_figures_and_what_is_missing_has_none(directory):
    contenders = {one["name"]: one for one in json.loads((directory / "benchmark.json").read_text())["contenders"]}
    missing = {name: one["reason"] for name, one in contenders.items() if one["status"] == "missing"}
    assert set(missing) == {"google-research/bert", "NVIDIA LDDL functions"}
    assert "--bert DIR" in missing["google-research/bert"]
    assert "--lddl DIR" in missing["NVIDIA LDDL functions"]
    for name, one in contenders.items():
        assert {key for key in FIGURES if one[key] is None} == (FIGURES if name in missing else set())
        assert name in missing or (one["status"] == "measured" and one["cpu_seconds"] > 0 < one["peak_bytes"])
    assert contenders["mlm-data"]["ratio_to_ours"] == 1
    assert contenders["mlm-data"]["records"] > 0


def test_text_and_stages_are_described(directory):
    content = json.loads((directory / "benchmark.json").read_text())
    assert [stage["name"] for stage in content["stages"]] == list(STAGES)
    assert 100_000 <= content["text"]["size"] < 120_000
    assert content["settings"]["dupe_factor"] == 2


def test_the_stages_make_the_shards_the_command_makes(directory):
    by_command = {path.name: path.read_bytes() for path in directory.glob("work/contender-0/run-0/output/*.tfrecord")}
    assert by_command
    assert {path.name: path.read_bytes() for path in directory.glob("work/stages/*.tfrecord")} == by_command


def test_the_chart_names_everybody(directory):
    words = " ".join(ET.parse(directory / "benchmark.svg").getroot().itertext())
    for name in ("mlm-data", "google-research/bert: missing", "NVIDIA LDDL functions: missing", "encode_batch_fast"):
        assert name in words


def test_too_little_text_is_repeated_under_headings(tmp_path):
    source = tmp_path / "two.txt"
    one, two = ("First of one.\nSecond of one.", "First of two.\nSecond of two.")
    source.write_text("\n\n".join([one, two, one]))
    text = take_text([f"paragraphs:{source}"], "auto", 0.0003, tmp_path / "text")
    (file,) = plan_inputs(CorporaSettings(input=text.inputs), LocalStorage())
    found = [document.text for document in read_documents(file, CorporaSettings(), LocalStorage())]
    assert found[:4] == [one, two, f"This is copy 2 of document 0.\n{one}", f"This is copy 2 of document 1.\n{two}"]
    assert (len(found), text.documents, text.copies) == (7, 7, 4)
    assert Path(text.sentences_file).read_text().count("\n\n") == text.documents


def test_no_text_is_an_error(tmp_path):
    (tmp_path / "blank.txt").write_text("\n\n")
    with pytest.raises(ValueError, match="expected at least one document"):
        take_text([f"{tmp_path}/blank.txt"], "text", 1, tmp_path / "text")


def test_a_checkout_without_the_script_is_missing(tmp_path):
    settings = DatasetSettings(str(VOCABULARY), 1, 128, 20)
    assert "holds no create_pretraining_data.py" in google_bert(settings, str(tmp_path), sys.executable).missing
    (tmp_path / "create_pretraining_data.py").touch()
    assert "has no tensorflow" in google_bert(settings, str(tmp_path), str(tmp_path / "no-python")).missing


def test_a_contender_that_fails_has_no_figures(tmp_path):
    broken = Contender("broken", "nothing", lambda text, output: [sys.executable, "-c", "raise SystemExit('no way')"])
    result = measure_contender(broken, TEXT, TEXT, 1, tmp_path)
    assert (result.status, result.reason, result.best) == (Status.FAILED, "exit status 1: no way", None)


def test_an_old_script_finds_the_compatibility_module_and_its_own_neighbours(tmp_path):
    (tmp_path / "tensorflow.py").write_text("from types import SimpleNamespace as n\ncompat = n(v1=n(gfile='old'))\n")
    (tmp_path / "contenders.py").write_text("name = 'neighbour'\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, contenders, tensorflow as tf\n"
        "if __name__ == '__main__': print(tf.gfile, contenders.name, sys.argv[1:])\n"
    )
    command = [sys.executable, REPOSITORY / "benchmarks" / "bert_shim.py", script, "--flag=1"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == "old neighbour ['--flag=1']\n"


def test_flags_that_make_no_sense_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--input=x", "--vocab_file=none.txt", f"--output={tmp_path}"])
    assert stopped.value.code == 2
    assert "--vocab_file none.txt is no file" in capsys.readouterr().err
