"""Checkpoints read: the shape of their model, and its weights into one of ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from mlm_data.config import SettingsError
from mlm_data.training.huggingface.names import (
    ACTIVATIONS,
    CONFIG,
    ENCODER,
    HEADS,
    MASKED_LM,
    OUTPUT_BIAS,
    POOLER,
    WEIGHTS,
    WORDS,
    Array,
    from_tensor,
    tensor_name,
)
from mlm_data.training.model import NEXT_SENTENCE, ModelConfig
from mlm_data.training.tokenizer_files import read_json, read_vocabulary
from mlm_data.vocabulary import Vocabulary

_DECODER, _DECODER_BIAS = "cls.predictions.decoder.weight", "cls.predictions.decoder.bias"
_POSITION_NUMBERS = "bert.embeddings.position_ids"  # 0, 1, 2, ... in files of older versions


@dataclass(frozen=True)
class Loaded:
    """What came of a checkpoint.

    Attributes:
        initialized: the model's variables that it does not have, by path; they keep the weights they had.
        unused: its tensors that the model does not have.
        new_pieces: how many more the model's vocabulary has.
    """

    initialized: tuple[str, ...]
    unused: tuple[str, ...]
    new_pieces: int


def read_config(directory: Path, **changes: Any) -> ModelConfig:
    """The shape of a checkpoint's model.

    Args:
        directory: holds `config.json`.
        **changes: fields to set otherwise, for example a larger `vocab_size`, other `heads` or dropout.

    Raises:
        SettingsError: there is none, or it is of another kind of model.
    """
    path = directory / CONFIG
    described = read_json(path)
    activations = {theirs: ours for ours, names in ACTIVATIONS.items() for theirs in names}
    found = {name: described.get(name) for name in ("model_type", "hidden_act")}
    positions = described.get("position_embedding_type", "absolute")
    if found["model_type"] != "bert" or found["hidden_act"] not in activations or positions != "absolute":
        raise SettingsError(
            f"{path} has model_type {found['model_type']!r}, hidden_act {found['hidden_act']!r} and positions "
            f"{positions!r}; expected 'bert', one of {', '.join(activations)}, and 'absolute'"
        )
    fields = {field.name for field in dataclasses.fields(ModelConfig)} & described.keys()
    values: dict[str, Any] = {name: described[name] for name in fields}
    values["hidden_act"] = activations[found["hidden_act"]]
    values["heads"] = () if MASKED_LM in (described.get("architectures") or ()) else ((NEXT_SENTENCE, 2),)
    try:
        return ModelConfig(**values | changes)
    except TypeError as error:
        raise SettingsError(f"{path} does not describe a BERT model: {error}") from error


def check_vocabulary(directory: Path, vocabulary: Vocabulary) -> None:
    """Makes sure that ids mean the same to a checkpoint and to the data.

    Further pieces may follow the checkpoint's own, and may stand in the place of its [unused] ones.

    Raises:
        SettingsError: an id means something else, or the checkpoint's tokenizer cannot be read.
    """
    theirs = read_vocabulary(directory)
    ours = vocabulary.pieces + ("",) * (len(theirs) - len(vocabulary))
    for number, (piece, other) in enumerate(zip(theirs.pieces, ours, strict=False)):
        if piece != other and not piece.startswith("[unused"):
            raise SettingsError(
                f"id {number} is {piece!r} in {theirs.name}, but {other!r} in {vocabulary.name}; expected all its "
                f"pieces in their places: make the data with the checkpoint's vocabulary, further pieces at its end"
            )


def load_weights(model: keras.Model, directory: Path) -> Loaded:
    """Gives a newly built model the weights of a checkpoint.

    Where the model's vocabulary is larger, a further piece's vector is the mean of the known ones plus the small random
    one that it was built with: it is then about as probable as an average piece, where a vector near 0 is often more
    probable than all others together (Hewitt 2021, "Initializing New Word Embeddings for Pretrained Language Models").
    Its bias is 0.

    Args:
        model: from `build_model`; nothing may have changed its weights since.
        directory: holds `model.safetensors` with the tensors of `BertForPreTraining`, or of a model with fewer heads,
            such as `BertModel` or `BertForMaskedLM`.

    Raises:
        SettingsError: there is no such file, a tensor of the encoder is missing, or one has another shape.
    """
    path = directory / WEIGHTS
    tensors = _unify_names(_read_tensors(path), path)
    names = {variable.path: tensor_name(variable.path) or "" for variable in model.weights}
    _require_encoder(path, [name for name in names.values() if name not in tensors])
    new_pieces = model.get_layer("word_embeddings").vocab_size - len(tensors[WORDS])
    for variable in model.weights:
        name = names[variable.path]
        if name not in tensors:
            continue
        tensor = tensors[name]
        if name in (WORDS, OUTPUT_BIAS):
            tensor = _add_rows(name, tensor, keras.ops.convert_to_numpy(variable))
        try:
            variable.assign(from_tensor(variable.path, tuple(variable.shape), tensor))
        except ValueError as error:
            raise SettingsError(f"{path}: {error}") from error
    return Loaded(
        initialized=tuple(variable for variable, name in names.items() if name not in tensors),
        unused=tuple(sorted(tensors.keys() - set(names.values()))),
        new_pieces=new_pieces,
    )


def _add_rows(name: str, tensor: Array, built: Array) -> Array:
    """Rows for the pieces that the checkpoint does not know; `built` has what the new model drew for them."""
    mean = tensor.mean(axis=0) if name == WORDS else 0
    return np.concatenate([tensor, built[len(tensor) :] + mean])


def _require_encoder(path: Path, lacking: list[str]) -> None:
    needed = [name for name in lacking if name.startswith(ENCODER) and not name.startswith(POOLER)]
    if needed:
        raise SettingsError(
            f"{path} lacks {needed[0]} and {len(needed) - 1} more tensors; expected all of a BERT encoder of the shape "
            f"in {CONFIG}"
        )


def _unify_names(tensors: Mapping[str, Array], path: Path) -> dict[str, Array]:
    """The tensors under the names that `BertForPreTraining` gives them today."""
    prefix = "" if any(name.startswith(ENCODER) for name in tensors) else ENCODER
    unified = {
        (name if name.startswith(HEADS) else prefix + name)
        .replace("LayerNorm.gamma", "LayerNorm.weight")
        .replace("LayerNorm.beta", "LayerNorm.bias"): tensor
        for name, tensor in tensors.items()
    }
    unified.pop(_POSITION_NUMBERS, None)
    decoder = unified.pop(_DECODER, None)
    if decoder is not None and not np.array_equal(decoder, unified.get(WORDS, decoder)):
        raise SettingsError(f"{path}: {_DECODER} differs from {WORDS}; expected a model in which they are tied")
    bias = unified.pop(_DECODER_BIAS, None)
    return unified if bias is None else {OUTPUT_BIAS: bias} | unified


def _read_tensors(path: Path) -> dict[str, Array]:
    try:
        tensors = safetensors.numpy.load_file(path)
    except (OSError, SafetensorError) as error:
        raise SettingsError(
            f"{path} cannot be read: {error}; expected a checkpoint of Hugging Face's BERT in the safetensors format"
        ) from error
    return {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()}
