"""A tiny model for tests, inputs for it, and BERT once more in plain numpy. TensorFlow is imported when needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from scipy.special import erf

from mlm_data.vocabulary import Vocabulary
from tests.making import vocabulary_content

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
needs_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
needs_text_ops = pytest.mark.skipif(find_spec("tensorflow_text") is None, reason="tensorflow-text is not installed")

VOCABULARY = Vocabulary.parse(vocabulary_content(), "made up")
NEXT_SENTENCE = ("next_sentence", 2)
HEADS, LAYERS = 4, 2

Features = dict[str, np.ndarray]


def tiny_config(**changes: Any) -> Any:
    from mlm_data.training.model import ModelConfig

    shape = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": 16,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": 24,
        "max_position_embeddings": 20,
    }
    return ModelConfig(**shape | changes)


def tiny_model(config: Any, *, seed: int = 1, noise: float = 0.2, **options: Any) -> Any:
    """A model whose biases and norms are not just zeros and ones, which would hide mistakes."""
    import keras

    from mlm_data.training.model import build_model

    keras.utils.set_random_seed(seed)
    model = build_model(config, **options)
    rng = np.random.default_rng(seed)
    for variable in sorted(model.weights, key=lambda variable: variable.path):
        variable.assign_add(rng.normal(0, noise, variable.shape))
    return model


def random_features(seed: int = 0, *, batch: int = 3, seq: int = 12, predictions: int = 5) -> Features:
    """Sequences of random tokens and lengths, padded with ids that must not matter."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, seq + 1, batch)
    features = {
        "input_word_ids": rng.integers(0, len(VOCABULARY), (batch, seq)),
        "input_mask": np.arange(seq) < lengths[:, None],
        "input_type_ids": rng.integers(0, 2, (batch, seq)),
        "masked_lm_positions": rng.integers(0, lengths[:, None], (batch, predictions)),
    }
    return {name: values.astype(np.int32) for name, values in features.items()}


def outputs_of(model: Any, features: Features, *, training: bool = False) -> Features:
    return {name: np.asarray(value) for name, value in model(features, training=training).items()}


def reference_outputs(tensors: Mapping[str, np.ndarray], features: Features, *, hidden_act: str) -> Features:
    """BERT after Devlin et al. 2019 and Vaswani et al. 2017, one sequence at a time, from Hugging Face's tensors."""
    rows = [
        _reference_row(tensors, {name: values[row] for name, values in features.items()}, hidden_act)
        for row in range(len(features["input_word_ids"]))
    ]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _reference_row(tensors: Mapping[str, np.ndarray], features: Features, hidden_act: str) -> Features:
    def dense(name: str, x: np.ndarray) -> np.ndarray:
        return x @ tensors[f"{name}.weight"].T.astype(np.float64) + tensors[f"{name}.bias"]

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def gelu(x: np.ndarray) -> np.ndarray:
        if hidden_act == "gelu":
            return x * 0.5 * (1 + erf(x / np.sqrt(2)))
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    def table(name: str) -> np.ndarray:
        return tensors[f"bert.embeddings.{name}_embeddings.weight"].astype(np.float64)

    ids, types, mask = (features[f"input_{name}"] for name in ("word_ids", "type_ids", "mask"))
    hidden = norm(
        "bert.embeddings.LayerNorm", table("word")[ids] + table("position")[: len(ids)] + table("token_type")[types]
    )
    for number in range(LAYERS):
        layer = f"bert.encoder.layer.{number}"
        query, key, value = (dense(f"{layer}.attention.self.{name}", hidden) for name in ("query", "key", "value"))
        width = hidden.shape[1] // HEADS
        attended = []
        for head in range(HEADS):
            own = slice(head * width, (head + 1) * width)
            scores = query[:, own] @ key[:, own].T / np.sqrt(width)
            weights = np.where(mask, np.exp(scores), 0)
            attended.append(weights / weights.sum(-1, keepdims=True) @ value[:, own])
        attention = dense(f"{layer}.attention.output.dense", np.concatenate(attended, -1))
        hidden = norm(f"{layer}.attention.output.LayerNorm", hidden + attention)
        inner = gelu(dense(f"{layer}.intermediate.dense", hidden))
        hidden = norm(f"{layer}.output.LayerNorm", hidden + dense(f"{layer}.output.dense", inner))
    pooled = np.tanh(dense("bert.pooler.dense", hidden[0]))
    masked = gelu(dense("cls.predictions.transform.dense", hidden[features["masked_lm_positions"]]))
    masked = norm("cls.predictions.transform.LayerNorm", masked)
    return {
        "sequence_output": hidden,
        "pooled_output": pooled,
        "mlm_logits": masked @ table("word").T + tensors["cls.predictions.bias"],
        "next_sentence_logits": dense("cls.seq_relationship", pooled),
    }
