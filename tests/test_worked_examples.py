"""The worked examples: the commands of examples/README.md, with less to do."""

from __future__ import annotations

import csv
import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mlm_data.examples import decode_example
from mlm_data.shards import read_records
from mlm_data.storage import LocalStorage
from tests.tiny_bert import needs_tensorflow, tiny_config, tiny_model
from tests.told import PROGRAMS, REPOSITORY, lend_samples, told_commands

pytestmark = needs_tensorflow
README, SCRIPT = "examples/README.md", "examples/from_scratch.sh"
# Of what is done at full length there, so much is enough here.
SHORTER = {
    "make-pretraining-data": ["--dupe_factor=2"],
    "train-bert": ["--num_train_steps=24", "--batch_size=16", "--log_every=8"],
}


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory) -> Iterator[Path]:
    """A directory to work in."""
    with pytest.MonkeyPatch.context() as patch:
        directory = lend_samples(tmp_path_factory.mktemp("examples"))
        patch.chdir(directory)
        patch.setitem(sys.modules, "tensorflow_text", None)  # SavedModels take seconds, and no example uses one
        yield directory


@pytest.fixture(scope="module")
def model(place) -> Path:
    """What the first example leaves to the others."""
    for program, *arguments in told_commands(SCRIPT):
        assert PROGRAMS[program]([*arguments, *SHORTER.get(program, [])]) == 0
    return place / "out" / "from-scratch" / "model"


def told_arguments(name: str) -> list[str]:
    """What the README gives to an example."""
    (told,) = [words for words in told_commands(README) if f"examples.{name}" in words]
    return told[3:]


def run_example(name: str, *more: str) -> None:
    """Runs what the README tells, with further flags."""
    assert importlib.import_module(f"examples.{name}").main([*told_arguments(name), *more]) == 0


def read_log(model: Path) -> list[dict[str, float]]:
    lines = (model / "log.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["split"] == "train"]


def test_the_readme_tells_of_every_example():
    programs = [path for path in (REPOSITORY / "examples").glob("*.py") if "__main__" in path.read_text()]
    there = {f"python -m examples.{path.stem}" for path in programs} | {f"sh {SCRIPT}"}
    told = [" ".join(words[: 3 if words[0] == "python" else 2]) for words in told_commands(README)]
    assert sorted(told) == sorted(there)


def test_from_scratch_a_model_learns_and_is_exported(model):
    losses = [entry["mlm_loss"] for entry in read_log(model)]
    assert len(losses) == 3
    assert losses == sorted(losses, reverse=True)
    assert (model / "export" / "huggingface" / "model.safetensors").is_file()


def test_one_book_is_better_known_afterwards(model, place, capsys):
    run_example("one_book", "--num_train_steps=24", "--learning_rate=0.001", "--log_every=8", "--max_seq_length=32")
    printed = capsys.readouterr().out
    before, after = (float(loss) for _, loss in re.findall(r"(before|after)\W+(\d+\.\d+)", printed))
    assert after < before
    assert printed.count("[MASK] 1") == 4  # two texts, before and after
    book = place / "out" / "one-book"
    sentences = (book / "sentences.txt").read_text().splitlines()
    assert min(len(sentence.split()) for sentence in sentences) >= 20
    assert (book / "model" / "curves.svg").stat().st_size > 1000
    assert (book / "model" / "export" / "huggingface" / "model.safetensors").is_file()


def held_out_texts(directory: Path) -> list[tuple[int, ...]]:
    """The ids of all validation instances of a dataset, as they were before they were masked."""
    texts = []
    for shard in sorted(directory.glob("validation-*")):
        for record in map(decode_example, read_records(LocalStorage(), str(shard))):
            used = record["masked_lm_weights"] > 0
            record["input_word_ids"][record["masked_lm_positions"][used]] = record["masked_lm_ids"][used]
            texts.append(tuple(record["input_word_ids"].tolist()))
    return texts


@pytest.fixture(scope="module")
def small_bert(model, place) -> Path:
    """One layer, of which many models are trained in no time."""
    from mlm_data.training.huggingface import write_checkpoint
    from mlm_data.training.tokenizer_files import read_vocabulary

    vocabulary = read_vocabulary(model / "export" / "huggingface")
    config = tiny_config(vocab_size=len(vocabulary), num_hidden_layers=1, max_position_embeddings=32, heads=())
    write_checkpoint(tiny_model(config), config, vocabulary, place / "small", do_lower_case=True)
    return place / "small"


def test_strategies_are_compared_on_the_same_masks_of_the_same_texts(small_bert, place):
    from examples.compare_masking import COMMON, DATASETS, STRATEGIES

    shorter = ("--num_train_steps=2", "--num_warmup_steps=0", "--batch_size=4", "--max_seq_length=32")
    run_example("compare_masking", f"--init_checkpoint={small_bert}", *shorter)
    output = place / "out" / "masking"
    with (output / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["strategy"] for row in rows] == [strategy.name for strategy in STRATEGIES]
    for row, strategy in zip(rows, STRATEGIES, strict=True):
        is_same = float(row["loss"]) == pytest.approx(float(row["own_loss"]), abs=1e-5)
        assert is_same == strategy.dataset.startswith(COMMON), strategy.name  # masked once or more often to train on
    expected = held_out_texts(output / COMMON)
    assert len(expected) > 10
    for name in DATASETS:
        assert held_out_texts(output / name) == expected, name
    table = (output / "results.md").read_text().splitlines()
    assert len(table) == 2 + len(rows)
    assert (output / "results.svg").stat().st_size > 1000


def test_a_classifier_learns_from_the_trained_model(model, place, capsys):
    import keras

    from examples import classify

    told = told_arguments("classify")
    train, test = classify.read_sources(classify.parse(told))
    assert set(train.labels) == set(test.labels) == {0, 1}
    assert not set(train.texts) & set(test.texts)

    rng = np.random.default_rng(1)
    for name, count, words in (("bees", 24, "honey bees hive flowers wax"), ("law", 40, "court judge jury law trial")):
        (place / name).write_text("\n".join(" ".join(rng.choice(words.split(), 12)) for _ in range(count)))
    others = ["--source=lines:bees", "--source=lines:law"]
    easy = [word for number, word in enumerate(told) if "--source" not in (word, *told[max(0, number - 1) : number])]
    assert classify.main([*easy, *others, "--epochs=8", "--learning_rate=0.001", "--max_seq_length=16"]) == 0
    of_majority, _, of_trained = map(float, re.findall(r"(\d+\.\d)%", capsys.readouterr().out))
    assert of_majority == 62.5
    assert of_trained > 95
    classifier = keras.saving.load_model(place / "out" / "classifier.keras")
    assert classifier.output_shape == (None, 2)
