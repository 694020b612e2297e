"""The report says what the statistics say, shows what is wrong, and needs nothing but itself."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from mlm_data.report import render_report
from mlm_data.report.expectation import expected_predictions, expected_rates, selection_rates
from mlm_data.shards import WrittenShard
from mlm_data.statistics import InstanceStatistics
from tests.finished import VOCABULARY, Finished, finished_dataset, masked_batch

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def finished() -> Finished:
    return finished_dataset(splits=("train", "validation"), dupe_factor=2)


@pytest.fixture(scope="module")
def html(finished) -> str:
    return render_report(*finished.parts)


def parse(html: str) -> ET.Element:
    """The page is XML, too: whatever is not closed or not escaped ends here."""
    assert html.startswith("<!DOCTYPE html>\n")
    return ET.fromstring(html.removeprefix("<!DOCTYPE html>\n"))


def cells(page: ET.Element) -> dict[str, list[str]]:
    rows = (row for row in page.iter("tr") if row.find("th[@scope='row']") is not None)
    return {row.find("th").text: [cell.text or "" for cell in row.iter("td")] for row in rows}


def test_tables_tell_what_was_counted(html, finished):
    found = cells(parse(html))
    counted = [finished.instances["train"], finished.instances["validation"]]
    assert found["Instances"] == [*(f"{part.instances:,}" for part in counted), ""]
    assert found["Predicted tokens"][:2] == [f"{part.predicted:,}" for part in counted]
    assert found["of all tokens"][:2] == [f"{100 * part.predicted / part.tokens:.2f}%" for part in counted]
    assert found["of those but [CLS] and [SEP]"][:2] == [
        f"{100 * part.positions.sum() / (part.tokens - 3 * part.instances):.2f}%" for part in counted
    ]
    assert found["fill: tokens in all positions"][:2] == [
        f"{100 * part.tokens / (128 * part.instances):.2f}%" for part in counted
    ]
    assert found["random pairs (label 1)"][2] == "50%"
    assert found["now [MASK]"][0] == f"{100 * counted[0].replacements[0] / counted[0].predicted:.2f}%"
    assert found["Shards"] == ["4", "4", ""]
    assert found["Documents read"][0] == "1,256"
    assert found["rejected: duplicate"] == ["21", "1.67% of read"]
    assert found["repaired: control_characters"] == ["3", "0.24% of kept"]
    assert found["dupe_factor"] == ["2", "10"]
    assert found["input"][0] == "a & b/<i>*.txt, lines:c.txt"


def test_page_needs_nothing_but_itself(html):
    page = parse(html)
    assert not {element.tag.rpartition("}")[2] for element in page.iter()} & {
        "script",
        "link",
        "img",
        "iframe",
        "image",
    }
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    links = {value for element in page.iter() for name, value in element.items() if name.endswith(("href", "src"))}
    links |= set(re.findall(r"url\(([^)]*)\)", html))
    assert links
    assert links <= {f"#{name}" for name in ids}
    assert "@import" not in html
    assert "/secret" not in html


def test_pictures_have_words_and_the_colours_of_the_page(html):
    page = parse(html)
    assert len(list(page.iter("figure"))) == 12
    for figure in page.iter("figure"):
        picture = figure.find(f"{SVG}svg")
        assert picture.get("role") == "img"
        assert picture.get("aria-label")
        assert figure.find("figcaption").text.endswith(".")
        # A colour that is set here would be lost on a dark page.
        assert set(re.findall(r"(?:fill|stroke): ([^;\"]+)", ET.tostring(picture).decode())) <= {
            "none", *(f"var(--{name})" for name in ("muted", "rule", "band", "first", "second"))
        }  # fmt: skip


def test_same_bytes_in_any_process():
    code = "import sys; from tests.test_report import *; sys.stdout.write(render_report(*finished_dataset().parts))"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[1],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            stdout=subprocess.PIPE,
        )
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    ]
    one, other = (process.communicate()[0] for process in processes)
    assert one == other
    assert b"</html>" in one


@pytest.mark.parametrize(
    ("made", "pictures"),
    [
        ({"documents": 2, "shards": 1, "dupe_factor": 1}, 6),
        ({"documents": 20, "max_seq_length": 512, "masking": "whole_word"}, 6),
        ({"documents": 40, "sequence_buckets": [32, 64, 128]}, 6),
        ({"documents": 40, "max_seq_length": 16, "max_predictions_per_seq": 1, "compression": "gzip"}, 6),
    ],
)
def test_all_sizes_can_be_shown(made, pictures):
    page = parse(render_report(*finished_dataset(**made).parts))
    assert len(list(page.iter("figure"))) == pictures


@pytest.mark.parametrize(("objective", "pictures"), [("sop", 6), ("mlm", 4)])
def test_report_speaks_of_its_own_objective(objective, pictures):
    html = render_report(*finished_dataset(objective=objective).parts)
    page = parse(html)
    assert len(list(page.iter("figure"))) == pictures
    assert ("swapped pairs (label 1)" in cells(page)) == (objective == "sop")
    assert ("[SEP] between documents" in cells(page)) == (objective == "mlm")
    assert "andom pair" not in html
    assert ("abel" in html.partition("<details>")[0].replace("aria-label", "")) == (objective == "sop")


def test_tables_tell_what_several_lengths_save():
    finished = finished_dataset(sequence_buckets=[32, 64, 128])
    train = finished.instances["train"]
    tokens = np.arange(129).repeat(train.lengths.sum(axis=0))
    padded = np.select([tokens <= 32, tokens <= 64], [32, 64], 128)
    found = cells(parse(render_report(*finished.parts)))
    for length in (32, 64, 128):
        some = tokens[padded == length]
        assert found[f"padded to {length}"][0] == f"{len(some):,}, {100 * some.mean() / length:.2f}% full"
    before = (128 - tokens).sum()
    assert found["padding saved over 128 for all"][0] == f"{100 * (128 - padded).sum() / before:.2f}%"
    assert found["positions saved over 128 for all"][0] == f"{100 * (128 - padded).mean() / 128:.2f}%"
    assert found["fill: tokens in all positions"][0] == f"{100 * tokens.sum() / padded.sum():.2f}%"


def test_without_masks_nothing_is_said_of_them():
    html = render_report(*finished_dataset(masking="none").parts)
    assert len(list(parse(html).iter("figure"))) == 4
    assert "redicted" not in html.partition("<details>")[0]


def test_what_is_not_there_is_not_shown(finished):
    none = InstanceStatistics.none(128, 20)
    train = finished.instances["train"]
    first_label = np.array([[1], [0]])
    one_label = dataclasses.replace(
        train,
        lengths=train.lengths * first_label,
        a_lengths=train.a_lengths * first_label,
        b_lengths=train.b_lengths * first_label,
    )
    shards = {**finished.manifest.shards, "validation": ()}
    manifest = dataclasses.replace(finished.manifest, shards=shards)
    for instances, pictures in (({"train": one_label, "validation": none}, 6), ({"train": train}, 6), ({}, 0)):
        page = parse(render_report(manifest, finished.settings, finished.documents, instances))
        assert len(list(page.iter("figure"))) == pictures
        assert "validation" not in [head.text for head in page.iter("th")]


def test_thousands_of_shards_fit_in_one_picture(finished):
    def size(shards: int) -> int:
        written = tuple(WrittenShard(f"{index}", 900 + index % 97, 1, "") for index in range(shards))
        manifest = dataclasses.replace(finished.manifest, shards={"train": written})
        return len(
            render_report(manifest, finished.settings, finished.documents, {"train": finished.instances["train"]})
        )

    assert size(5120) < size(128) + 8000


@pytest.mark.parametrize("flags", [{"short_seq_prob": 0.5}, {"objective": "mlm"}])
def test_expectations_are_those_of_the_instances(flags):
    settings = finished_dataset(**flags).settings
    batch = masked_batch(settings, documents=400, seed=5)
    statistics = InstanceStatistics.of(batch, VOCABULARY)
    assert expected_predictions(statistics, settings.masking).tolist() == statistics.predictions.tolist()

    column = np.arange(128)
    candidates = (column > 0) & (column < batch.lengths[:, None]) & (batch.input_word_ids != VOCABULARY.sep_id)
    assert statistics.candidates.tolist() == candidates.sum(axis=0).tolist()
    shares = candidates * (batch.masked_lm_counts / candidates.sum(axis=1))[:, None]
    used = candidates.any(axis=0)
    exact = shares.sum(axis=0)[used] / candidates.sum(axis=0)[used]
    np.testing.assert_allclose(expected_rates(statistics, settings.masking)[used], exact, atol=0.0002)
    assert selection_rates(statistics, settings.masking).outside <= 2


def test_tokens_that_are_chosen_together_do_not_look_like_a_preference():
    settings = finished_dataset(max_seq_length=512, masking="span").settings
    statistics = InstanceStatistics.of(masked_batch(settings, documents=1500, seed=6), VOCABULARY)
    assert selection_rates(statistics, settings.masking).outside <= 2


def test_shares_of_replacements_are_told_as_they_were_asked_for():
    page = parse(render_report(*finished_dataset(mask_token_prob=0.7, random_token_prob=0.125).parts))
    asked = [cells(page)[label][-1] for label in ("now [MASK]", "now another token", "as they were")]
    assert asked == ["70%", "12.5%", "17.5%"]


def test_what_is_wrong_is_said(finished, html):
    assert "label can be guessed" not in html
    train = finished.instances["train"]
    leaking = np.stack([train.lengths[0], np.roll(train.lengths[1], -30)])
    biased = train.positions.copy()
    biased[1:20] *= 3
    instances = {"train": dataclasses.replace(train, lengths=leaking, positions=biased)}
    worse = render_report(finished.manifest, finished.settings, finished.documents, instances)
    assert worse.count("label can be guessed") == 1
    outside = [int(re.search(r"\((\d+) of \d+ do not\)", page)[1]) for page in (html, worse)]
    assert outside[0] <= 1
    assert outside[1] >= 15
