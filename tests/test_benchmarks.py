from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.comparison import Cell
from benchmarks.contenders import OURS, Checkouts, Contender, DatasetSettings, google_bert, ours
from benchmarks.growth import Cause, Line, Point, Series, Step, measure_series
from benchmarks.measuring import Entry, measure_in_turn, measure_with_startup
from benchmarks.results import Result, Status
from benchmarks.scaling import Scaling
from benchmarks.stages import STAGES, time_stages
from benchmarks.text import BenchmarkText, take_text
from benchmarks.usage import Usage
from mlm_data.config import CorporaSettings
from mlm_data.corpora import plan_inputs, read_documents
from mlm_data.storage import LocalStorage

REPOSITORY = Path(__file__).parents[1]
VOCABULARY = REPOSITORY / "vocab" / "en-uncased-30k.txt"
SETTINGS = DatasetSettings.of_length(str(VOCABULARY), 2, 128)
MISSING = {"google-research/bert", "NVIDIA LDDL functions"}
TOKENIZERS = {"tokenizers encode_batch", "tokenizers encode_batch_fast"}
FIGURES = {"cpu_seconds", "fixed_cpu_seconds", "cpu_seconds_per_mb", "peak_bytes", "ratio_to_ours"}
TEXT = BenchmarkText((), "", 1_000_000, 1, 1, 1)


def program(name: str, code: str) -> Contender:
    """A contender that is a line of Python."""
    return Contender(name, "nothing", lambda text, output: [sys.executable, "-S", "-c", code])


def result(name: str, megabytes: float, seconds: float, fixed: float) -> Result:
    runs = [(Usage(taken, taken, 1, 0),) for taken in (seconds, fixed)]
    return Result(name, "something", Status.MEASURED, "", megabytes, *runs)


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    """What one whole run writes, in which this project is a program that does nothing and checkouts are missing."""
    directory = tmp_path_factory.mktemp("benchmark")
    text = [f"--input={REPOSITORY}/samples/corpus/**", f"--vocab_file={VOCABULARY}", f"--output={directory}"]
    cells = "--megabytes 0.1 --baseline_megabytes 0.05 --dupe_factor 1 2 --max_seq_length 128 64 --processes 1 2"
    growth = "--growth --growth_megabytes 0.02 0.01 0.04 --growth_dupe_factor 1 3 --growth_dupe_megabytes 0.01"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.from_flags.ours", lambda settings, processes=1: program(OURS, "pass"))
        limit = "--growth_baseline_megabytes 0.02"
        assert main([*text, *cells.split(), *growth.split(), *limit.split()]) == 0
    return directory


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def words_of(picture: Path) -> str:
    return "\n".join(ET.parse(picture).getroot().itertext())


def test_every_combination_is_a_cell(directory):
    cells = read(directory / "benchmark.json")["cells"]
    names = ("max_seq_length", "dupe_factor", "max_predictions_per_seq")
    found = [tuple(cell["settings"][name] for name in names) for cell in cells]
    assert found == [(128, 1, 20), (128, 2, 20), (64, 1, 10), (64, 2, 10)]
    assert all([stage["name"] for stage in cell["stages"]] == list(STAGES) for cell in cells)


def test_what_was_measured_has_figures_and_what_is_missing_has_none(directory):
    content = read(directory / "benchmark.json")
    small, large = (content["texts"][name]["size"] / 1e6 for name in ("baselines", "ours"))
    assert 0.05 <= small < 0.1 <= large < 0.12
    for cell in content["cells"]:
        own, own_again, *others = cell["contenders"]
        assert {one["name"] for one in others} == MISSING | TOKENIZERS
        assert [one["megabytes"] for one in cell["contenders"]] == [large] + 5 * [small]
        assert own["name"] == own_again["name"] == OURS
        assert own["ratio_to_ours"] == own_again["ratio_to_ours"] == 1
        for one in cell["contenders"]:
            absent = one["name"] in MISSING
            assert {key for key in FIGURES if one[key] is None} == (FIGURES if absent else set())
            assert one["status"] == ("missing" if absent else "measured")
            assert ("DIR given" in one["reason"]) == absent


def test_more_processes_are_measured_beside_independent_runs(directory):
    for cell in read(directory / "benchmark.json")["cells"]:
        scaling = cell["scaling"]
        assert [one["processes"] for one in scaling["processes"]] == [1, 2]
        assert [len(runs) for runs in scaling["independent_runs"]] == [2]
        assert scaling["speedup_limit"] == pytest.approx(2 / scaling["slowdown"])


def test_growth_is_labelled_and_baselines_stop_where_told(directory):
    series = {(one["grows_with"], one["name"]): one for one in read(directory / "growth.json")["series"]}
    names = {OURS, *MISSING, "tokenizers encode_batch_fast"}
    assert set(series) == {(cause, name) for cause in ("megabytes", "dupe_factor") for name in names}
    assert {name for (_, name), one in series.items() if one["status"] == "missing"} == MISSING

    def places(cause: str, name: str) -> list[float]:
        return [point[cause] for point in series[cause, name]["points"]]

    sizes = places("megabytes", OURS)
    assert sizes == sorted(sizes)
    assert [low <= size < 2 * low for low, size in zip((0.01, 0.02, 0.04), sizes[1:], strict=True)] == 3 * [True]
    assert places("megabytes", "tokenizers encode_batch_fast") == sizes[:3]
    assert places("dupe_factor", OURS) == [1, 3]
    assert places("dupe_factor", "tokenizers encode_batch_fast") == [1]
    assert places("megabytes", "google-research/bert") == []


def test_pictures_name_everybody_and_stay_small(directory):
    comparison, growth = (words_of(directory / name) for name in ("benchmark.svg", "growth.svg"))
    for name in (OURS, *TOKENIZERS, *(f"{name}: missing, no --" for name in MISSING)):
        assert name in comparison
        assert name in growth or name == "tokenizers encode_batch"
    for cell in read(directory / "benchmark.json")["cells"]:
        settings = cell["settings"]
        assert f"dupe_factor {settings['dupe_factor']}, max_seq_length {settings['max_seq_length']}" in comparison
    assert "MB of raw text" in growth
    assert max((directory / name).stat().st_size for name in ("benchmark.svg", "growth.svg")) < 60_000


def test_the_stages_make_the_shards_the_command_makes(tmp_path):
    text = take_text([f"{REPOSITORY}/samples/corpus/**"], "auto", 0.1, tmp_path / "text")
    subprocess.run(ours(SETTINGS).command(text, tmp_path / "command"), cwd=REPOSITORY, check=True, capture_output=True)
    time_stages(text, SETTINGS, tmp_path / "stages")
    by_command, by_stages = (
        {path.name: path.read_bytes() for path in (tmp_path / name).glob("*.tfrecord")}
        for name in ("command", "stages")
    )
    assert by_command
    assert by_stages == by_command


def test_ratios_are_of_the_same_text_and_of_what_grows():
    own = (result(OURS, 100, 12, 2), result(OURS, 10, 3, 2))
    other = result("other", 10, 24, 4)
    cell = Cell(SETTINGS, (*own, other), {})
    assert cell.whole_ratio(other) == pytest.approx(24 / 3)
    assert cell.growing_ratio(other) == pytest.approx(2 / 0.1)
    assert [cell.whole_ratio(one) for one in own] == [1, 1]


def test_too_little_growth_to_tell_is_none():
    assert result("one", 1, 2.1, 2).growing_cpu_seconds_per_mb is None
    assert result("one", 1, 4, 2).growing_cpu_seconds_per_mb == 2


def test_scaling_is_told_from_the_clock():
    def runs(*seconds: float) -> tuple[Usage, ...]:
        return tuple(Usage(1, taken, 1, 0) for taken in seconds)

    by_processes = {
        number: Result(OURS, "", Status.MEASURED, "", 1, taken)
        for number, taken in {1: runs(9, 8), 2: runs(5, 6)}.items()
    }
    scaling = Scaling(by_processes, (runs(11, 13), runs(9, 11)))
    assert (scaling.speedup(1), scaling.speedup(2)) == (1, 8 / 5)
    assert (scaling.slowdown, scaling.limit) == (10 / 8, 8 / 5)


def test_a_line_is_drawn_through_what_was_measured():
    points = [Point(size, 1, Usage(2 + 3 * size, 0, 0, 0)) for size in (1, 2, 5)]
    line = Series(OURS, "", Cause.MEGABYTES, tuple(points)).line
    assert line is not None
    assert line == Line(pytest.approx(2), pytest.approx(3))
    assert line.formula("MB") == "2 s + 3 s per MB"
    assert Line(2.41, -0.0012).formula("pass") == "2.41 s - 0.001 s per pass"
    assert Series(OURS, "", Cause.MEGABYTES, tuple(points[:1])).line is None


def test_contenders_take_turns(tmp_path):
    diary = tmp_path / "diary"
    entries = [Entry(program(name, f"open({str(diary)!r}, 'a').write({name!r})"), TEXT) for name in "ab"]
    results = measure_in_turn(entries, 3, tmp_path / "runs")
    assert diary.read_text() == "ababab"
    assert [len(one.runs) for one in results] == [3, 3]


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
    def reason(python: str) -> str:
        return google_bert(SETTINGS, Checkouts(str(tmp_path), python)).missing

    assert "holds no create_pretraining_data.py" in reason(sys.executable)
    (tmp_path / "create_pretraining_data.py").touch()
    assert "has no tensorflow" in reason(str(tmp_path / "no-python"))


def test_a_contender_that_fails_has_no_figures(tmp_path):
    broken = Entry(program("broken", "raise SystemExit('no way')"), TEXT)
    (failed,) = measure_with_startup([broken], TEXT, 2, tmp_path)
    assert (failed.status, failed.reason, failed.best) == (Status.FAILED, "exit status 1: no way", None)


def test_who_fails_is_asked_for_no_more(tmp_path):
    def contenders(passes: int) -> list[Contender]:
        return [program(OURS, "pass"), program("weak", f"raise SystemExit({passes} > 1 and 'too much')")]

    steps = [Step(TEXT, passes) for passes in (1, 2, 3)]
    strong, weak = measure_series(contenders, Cause.DUPE_FACTOR, steps, repeats=1, directory=tmp_path)
    assert [point.dupe_factor for point in strong.points] == [1, 2, 3]
    assert [point.dupe_factor for point in weak.points] == [1]
    assert (weak.status, weak.reason) == (Status.FAILED, "exit status 1: too much")


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


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--vocab_file=none.txt"], "--vocab_file none.txt is no file"),
        (["--dupe_factor", "1", "0"], "--dupe_factor is 0; expected more than 0"),
        (["--megabytes=1", "--baseline_megabytes=2"], "expected at most as much"),
    ],
)
def test_flags_that_make_no_sense_are_refused(tmp_path, capsys, flags, said):
    with pytest.raises(SystemExit) as stopped:
        main(["--input=x", f"--vocab_file={VOCABULARY}", f"--output={tmp_path}", *flags])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
