"""Training: what is minimized, how weights move, and that nothing but settings and data decides the result."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.stats import entropy

from mlm_data.config import SettingsError
from mlm_data.config.training import TrainingSettings
from mlm_data.examples import decode_example
from mlm_data.shards import VALIDATION, read_records
from mlm_data.storage import LocalStorage
from mlm_data.training.dataset import PretrainingData
from mlm_data.training.results import Results
from mlm_data.training.scores import Scores
from pipelines import evaluate, train_bert
from tests.finished import write_dataset
from tests.tiny_bert import NEXT_SENTENCE, needs_tensorflow
from tests.tiny_training import BATCH, scores_of, settings, train

pytestmark = needs_tensorflow


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("data")
    write_dataset(directory, documents=6)
    return directory


@pytest.fixture(scope="module")
def several(tmp_path_factory) -> Path:
    """Unmasked instances of several lengths, without labels."""
    directory = tmp_path_factory.mktemp("several")
    flags = {"sequence_buckets": [12, 20, 32], "objective": "mlm", "mlm_packing": "doc_sentences"}
    write_dataset(directory, documents=6, masking="none", **flags)
    return directory


def entropy_of_shards(directory: Path, split: str) -> float:
    """Of the tokens that a split asks for, in nats."""
    counts: Counter[int] = Counter()
    for path in directory.glob(f"{split}-*"):
        for record in map(decode_example, read_records(LocalStorage(), str(path))):
            counts.update(record["masked_lm_ids"][record["masked_lm_weights"] > 0].tolist())
    return float(entropy(list(counts.values())))


# What is minimized


def test_losses_are_weighted_means_over_the_whole_batch():
    import tensorflow as tf

    from mlm_data.training.losses import sum_losses, total_loss

    rng = np.random.default_rng(1)
    logits, pair_logits = rng.normal(0, 3, (6, 4, 11)), rng.normal(0, 3, (6, 2))
    ids, labels = rng.integers(0, 11, (6, 4)), rng.integers(0, 2, 6)
    weights = (np.arange(4) < rng.integers(1, 5, 6)[:, None]).astype(np.float32)

    def losses(logits, targets):
        log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        return -np.take_along_axis(log_probabilities, targets[..., None], -1)[..., 0]

    expected = Scores(
        (losses(logits, ids) * weights).sum() / weights.sum(),
        ((logits.argmax(-1) == ids) * weights).sum() / weights.sum(),
        losses(pair_logits, labels).mean(),
        (pair_logits.argmax(-1) == labels).mean(),
        int(weights.sum()),
        6,
    )
    outputs = {"mlm_logits": logits, f"{NEXT_SENTENCE[0]}_logits": pair_logits}
    batch = {"masked_lm_ids": ids, "masked_lm_weights": weights, "next_sentence_labels": labels}
    parts = []
    for half in (slice(None, 2), slice(2, None)):  # of different numbers of predictions
        some_outputs = {name: tf.constant(value[half]) for name, value in outputs.items()}
        parts.append(sum_losses(some_outputs, {name: tf.constant(value[half]) for name, value in batch.items()}))
    found = Scores.of([float(sum(values)) for values in zip(*parts, strict=True)])
    for name in Scores.__dataclass_fields__:
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-5), name
    loss = sum(float(total_loss(part, weights.sum(), 6.0)) for part in parts)
    assert loss == pytest.approx(expected.mlm_loss + expected.next_sentence_loss, rel=1e-5)


# How weights move


@hypothesis.settings(max_examples=20, deadline=None)
@hypothesis.given(st.integers(2, 1000), st.floats(0, 1), st.floats(0.5, 3))
def test_the_learning_rate_rises_in_a_line_and_falls_as_a_power(steps, share, power):
    from mlm_data.training.optimization import make_schedule

    warmup = int(share * steps)
    schedule = make_schedule(settings(num_train_steps=steps, num_warmup_steps=warmup, decay_power=power))
    rates = np.asarray(schedule(np.arange(steps)))
    rising, falling = rates[:warmup], rates[warmup:]
    np.testing.assert_allclose(rising, 0.01 * np.arange(1, warmup + 1) / max(1, warmup), rtol=1e-5)
    np.testing.assert_allclose(falling, 0.01 * np.linspace(1, 0, len(falling) + 1)[:-1] ** power, rtol=1e-4, atol=1e-9)
    assert (rates > 0).all()


def test_the_warm_up_is_a_tenth_of_few_steps_and_that_of_the_paper_for_many():
    assert settings(num_warmup_steps=-1, num_train_steps=1_000_000).warmup_steps == 10_000
    assert settings(num_warmup_steps=-1, num_train_steps=50).warmup_steps == 5


def reference_step(kind, weights, gradients, moments, step, decayed):
    """Adam with decoupled decay (Loshchilov and Hutter 2019) or LAMB (You et al. 2020), by the book, in float64."""
    rate, decay, clip = 0.01 * min(1, (step + 1) / 2), 0.1, 0.5
    norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
    for place, whole in enumerate(gradients):
        gradient = whole * min(1.0, clip / norm)
        moments[place][0] = 0.9 * moments[place][0] + 0.1 * gradient
        moments[place][1] = 0.999 * moments[place][1] + 0.001 * gradient**2
        mean, square = moments[place][0] / (1 - 0.9 ** (step + 1)), moments[place][1] / (1 - 0.999 ** (step + 1))
        update = mean / (np.sqrt(square) + 1e-6) + (decay * weights[place] if decayed[place] else 0)
        if kind == "lamb" and decayed[place]:
            norms = np.linalg.norm(weights[place]), np.linalg.norm(update)
            update = update * (norms[0] / norms[1] if min(norms) > 0 else 1.0)
        weights[place] = weights[place] - rate * update


@pytest.mark.parametrize("kind", ["adamw", "lamb"])
def test_optimizers_step_as_the_papers_say(kind):
    import keras
    import tensorflow as tf

    from mlm_data.training.optimization import make_optimizer

    rng = np.random.default_rng(2)
    names, shapes = ["kernel", "bias", "gamma", "kernel"], [(3, 2, 4), (2, 4), (4,), (3,)]
    weights = [rng.normal(0, 1, shape) for shape in shapes[:3]] + [np.zeros(3)]  # LAMB knows no norm to keep to
    variables = [keras.Variable(value, name=name) for value, name in zip(weights, names, strict=True)]
    optimizer = make_optimizer(
        settings(optimizer=kind, weight_decay=0.1, max_grad_norm=0.5, num_train_steps=10**9), variables
    )
    moments = [[np.zeros(shape), np.zeros(shape)] for shape in shapes]
    for step in range(4):
        gradients = [rng.normal(0, 10.0**-step, shape) for shape in shapes]  # long ones first, then short
        optimizer.apply([tf.constant(gradient, tf.float32) for gradient in gradients])
        reference_step(kind, weights, gradients, moments, step, [name == "kernel" for name in names])
        for variable, expected in zip(variables, weights, strict=True):
            np.testing.assert_allclose(np.asarray(variable), expected, rtol=2e-4, atol=1e-6)


# Only settings and data decide


@pytest.fixture(scope="module")
def plain(directory, tmp_path_factory):
    """A run without dropout, on one device, each batch at once."""
    return train(directory, tmp_path_factory.mktemp("plain") / "model", dropout=0.0)


@pytest.mark.parametrize(
    ("changes", "tolerance"),
    [({"gradient_accumulation_steps": 4}, 1e-4), ({"mixed_precision": "bfloat16"}, 0.05)],
)
def test_parts_and_precision_do_not_matter(directory, plain, tmp_path, changes, tolerance):
    other = train(directory, tmp_path, dropout=0.0, **changes)
    for one, same in zip(scores_of(plain), scores_of(other), strict=True):
        assert same.mlm_loss == pytest.approx(one.mlm_loss, rel=tolerance)
        assert same.next_sentence_loss == pytest.approx(one.next_sentence_loss, rel=tolerance)


class Killed(BaseException):
    """Nothing of ours catches it."""


WHOLE_WORDS = {"dynamic_masking": "whole_word"}


@pytest.mark.parametrize("kind", ["one length", "several lengths"])
def test_a_run_that_was_killed_goes_on_as_if_nothing_had_been(directory, several, tmp_path, kind):
    def kill(step: int, _: Any) -> None:
        if step == 3:  # the checkpoint is that of 2, in the middle of a line of the log
            raise Killed

    flags = {"masking": "dynamic", "run": {"log_every": 3, "checkpoint_every": 2, "validation_every": 4}}
    if kind == "several lengths":
        flags |= {"masks": WHOLE_WORDS, "gradient_accumulation_steps": 2, "validate": True}
    else:
        flags |= {"labels": False}
    data = several if kind == "several lengths" else directory
    undisturbed = train(data, tmp_path / "one", **flags)
    with pytest.raises(Killed):
        train(data, tmp_path / "other", tell=kill, **flags)
    resumed = train(data, tmp_path / "other", **flags)
    trained = [(entry.step, entry.scores.instances) for entry in resumed.log.of("train")]
    assert trained == [(3, 3 * BATCH), (6, 3 * BATCH)]
    assert scores_of(resumed) == scores_of(undisturbed)
    for weight, same in zip(undisturbed.model.weights, resumed.model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), np.asarray(same))


def test_the_log_of_a_killed_run_is_cut_to_its_checkpoint(tmp_path):
    from mlm_data.training.training_log import Entry, TrainingLog

    log = TrainingLog(tmp_path, 0)
    entries = [Entry(step, "train", Scores(1.0 / step, 0.5, None, None, 10, 2), 0.1, 9.0) for step in (10, 20, 30)]
    for entry in entries:
        log.add(entry)
    (tmp_path / "log.jsonl").write_bytes((tmp_path / "log.jsonl").read_bytes() + b'{"step": 4')
    assert TrainingLog(tmp_path, 20).entries == entries[:2]
    assert TrainingLog(tmp_path, 99).entries == entries[:2]


def test_a_batch_must_divide_among_devices_and_parts():
    import tensorflow as tf

    from mlm_data.training.strategies import check_batch_size

    check_batch_size(8, 4, tf.distribute.OneDeviceStrategy("/cpu:0"))
    with pytest.raises(SettingsError, match="--batch_size is 8; expected a multiple of 3"):
        check_batch_size(8, 3, tf.distribute.OneDeviceStrategy("/cpu:0"))


# The programs


def test_programs_train_and_evaluate(directory, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)  # as where it is not installed: no SavedModel
    model = tmp_path / "model"
    flags = ["--model_size=tiny", "--batch_size=4", "--num_train_steps=2", "--learning_rate=0.01"]
    command = [f"--data_dir={directory}", f"--model_dir={model}", *flags]
    assert train_bert.main(command) == 0
    results = Results.read(model)
    assert f"{results.unigram_entropy:.3f}" in capsys.readouterr().out
    assert evaluate.main([f"--model={model}", f"--data_dir={directory}", "--json", "--batch_size=7"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["instances"] == PretrainingData.load(LocalStorage(), str(directory)).instances(VALIDATION)
    checkpoint = f"--model={model / 'checkpoints' / 'ckpt-2'}"
    assert evaluate.main([checkpoint, f"--data_dir={directory}"]) == 0
    shown = capsys.readouterr().out
    for expected in (f"{scores['mlm_loss']:.3f}", f"{scores['perplexity']:,.1f}", f"{scores['instances']:,}"):
        assert f" {expected} " in shown
    assert scores["mlm_loss"] == pytest.approx(results.validation.mlm_loss, rel=1e-5)
    assert scores["next_sentence_accuracy"] == pytest.approx(results.validation.next_sentence_accuracy)
    assert scores["unigram_entropy"] == pytest.approx(entropy_of_shards(directory, "validation"))
    assert results.unigram_entropy == pytest.approx(entropy_of_shards(directory, "train"))

    weights = model / "export" / "huggingface" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    assert train_bert.main(command) == 0
    assert "already holds this very model" in capsys.readouterr().err
    with pytest.raises(SettingsError, match="a training run of other data or settings; choose another"):
        train_bert.main([*command, "--learning_rate=0.5"])
    assert weights.stat().st_mtime_ns == before

    flags = {"init_checkpoint": str(model), "num_train_steps": 1, "num_warmup_steps": 0, "learning_rate": 1e-9}
    started = train(directory, tmp_path / "second", validate=True, **flags)
    assert scores_of(started)[-1].mlm_loss == pytest.approx(results.validation.mlm_loss, rel=1e-4)


def test_data_without_masks_is_evaluated_as_it_was_validated(several, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    masks = ["--dynamic_masking=whole_word", "--masked_lm_prob=0.3"]
    command = [f"--data_dir={several}", f"--model_dir={tmp_path}", "--model_size=tiny", "--batch_size=4"]
    assert train_bert.main([*command, "--num_train_steps=1", "--num_warmup_steps=0", "--masking=dynamic", *masks]) == 0
    results = Results.read(tmp_path)
    capsys.readouterr()
    assert evaluate.main([f"--model={tmp_path}", f"--data_dir={several}", "--json", "--batch_size=7", *masks]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["mlm_loss"] == pytest.approx(results.validation.mlm_loss, rel=1e-5)
    assert scores["predictions"] == results.validation.predictions


def test_what_was_never_trained_cannot_be_evaluated(directory, tmp_path):
    from mlm_data.training.model_choice import load_model

    data = PretrainingData.load(LocalStorage(), str(directory))
    with pytest.raises(SettingsError, match="holds no model; expected a directory of train-bert"):
        load_model(tmp_path, data)


@pytest.mark.parametrize("flags", [{"batch_size": 0}, {"num_warmup_steps": 7}, {"gradient_accumulation_steps": 3}])
def test_settings_that_make_no_sense_are_refused(flags):
    (name,) = flags
    with pytest.raises(SettingsError, match=name):
        settings(**flags)


def test_sizes_on_the_command_line_are_those_of_the_model():
    from mlm_data.training.model import MODEL_SIZES

    assert TrainingSettings.__dataclass_fields__["model_size"].metadata["choices"] == tuple(MODEL_SIZES)
