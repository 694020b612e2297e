"""What our variables are called in a checkpoint, and how their numbers are laid out there.

Names of tensors are those of `BertForPreTraining` in `transformers`. The decoder's matrix and bias are tied there, to
the embeddings and to `cls.predictions.bias`, and not stored. Next sentence labels are the same: 0, B follows; 1, B is
random.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlm_data.training.model import NEXT_SENTENCE

CONFIG, WEIGHTS = "config.json", "model.safetensors"
PRETRAINING, MASKED_LM = "BertForPreTraining", "BertForMaskedLM"

# Ours to theirs; the first of theirs is written, each is read.
ACTIVATIONS = {"gelu": ("gelu",), "gelu_tanh": ("gelu_new", "gelu_pytorch_tanh", "gelu_fast")}

ENCODER, HEADS = "bert.", "cls."
POOLER = "bert.pooler."
WORDS, OUTPUT_BIAS = "bert.embeddings.word_embeddings.weight", "cls.predictions.bias"

_TABLES = {
    "word_embeddings/embeddings": WORDS,
    "place_embeddings/position_embeddings": "bert.embeddings.position_embeddings.weight",
    "place_embeddings/type_embeddings": "bert.embeddings.token_type_embeddings.weight",
}
_MODULES = {
    "embeddings_norm": "bert.embeddings.LayerNorm",
    "pooler": "bert.pooler.dense",
    "mlm_transform": "cls.predictions.transform.dense",
    "mlm_norm": "cls.predictions.transform.LayerNorm",
    "mlm_bias": "cls.predictions",
    f"{NEXT_SENTENCE}_logits": "cls.seq_relationship",
}
_LAYER_MODULES = {
    "attention/query": "attention.self.query",
    "attention/key": "attention.self.key",
    "attention/value": "attention.self.value",
    "attention/attention_output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "intermediate": "intermediate.dense",
    "output": "output.dense",
    "output_norm": "output.LayerNorm",
}
_PARAMETERS = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}

Array = NDArray[Any]


def tensor_name(path: str) -> str | None:
    """The tensor of a variable; None for the heads that Hugging Face's BERT does not have.

    >>> tensor_name("layer_3_attention/query/kernel")
    'bert.encoder.layer.3.attention.self.query.weight'
    """
    if path in _TABLES:
        return _TABLES[path]
    module, _, parameter = path.rpartition("/")
    in_layer = re.fullmatch(r"layer_(\d+)_(.+)", module)
    if in_layer:
        return f"bert.encoder.layer.{in_layer[1]}.{_LAYER_MODULES[in_layer[2]]}.{_PARAMETERS[parameter]}"
    return f"{_MODULES[module]}.{_PARAMETERS[parameter]}" if module in _MODULES else None


def to_tensor(path: str, value: Array) -> Array:
    """A variable's value as a tensor: kernels [in, out], those of attention with two axes for one, become [out, in]."""
    matrix = value.reshape(_flat_shape(path, value.shape))
    return np.ascontiguousarray(matrix.T if _is_kernel(path) else matrix)


def from_tensor(path: str, shape: tuple[int, ...], tensor: Array) -> Array:
    """The reverse of `to_tensor`.

    Raises:
        ValueError: the tensor's shape is another than the variable's; the message tells both.
    """
    flat = _flat_shape(path, shape)
    expected = flat[::-1] if _is_kernel(path) else flat
    if tensor.shape != expected:
        raise ValueError(f"{tensor_name(path)} has shape {tensor.shape}; expected {expected}")
    return (tensor.T if _is_kernel(path) else tensor).reshape(shape)


def _is_kernel(path: str) -> bool:
    return path.endswith("/kernel")


def _flat_shape(path: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with the axes joined that Hugging Face does not part: heads, and what each holds."""
    if _is_kernel(path):
        inputs = 2 if path.endswith("attention_output/kernel") else 1  # axes that are summed over
        return math.prod(shape[:inputs]), math.prod(shape[inputs:])
    return (math.prod(shape),) if path.endswith("/bias") else shape
