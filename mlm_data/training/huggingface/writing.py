"""Checkpoints written, as `from_pretrained` in `transformers` takes them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import safetensors.numpy

from mlm_data.config import SettingsError
from mlm_data.training.huggingface.names import (
    ACTIVATIONS,
    CONFIG,
    MASKED_LM,
    POOLER,
    PRETRAINING,
    WEIGHTS,
    tensor_name,
    to_tensor,
)
from mlm_data.training.model import NEXT_SENTENCE, ModelConfig
from mlm_data.training.tokenizer_files import write_json, write_tokenizer
from mlm_data.vocabulary import Vocabulary


def write_checkpoint(
    model: keras.Model, config: ModelConfig, vocabulary: Vocabulary, directory: Path, *, do_lower_case: bool
) -> tuple[str, ...]:
    """Writes `config.json`, `model.safetensors` (float32) and the tokenizer's files.

    A model with a `next_sentence` head of two classes is a `BertForPreTraining`. Any other is a `BertForMaskedLM`,
    which has neither pooler nor classifiers.

    Args:
        model: from `build_model(config)`.
        config: its shape.
        vocabulary: its pieces; the model may have more rows than these.
        directory: is made where it is missing; files of these names are replaced.
        do_lower_case: whether text is lower-cased before tokenization.

    Returns:
        The paths of the model's variables that are left out.

    Raises:
        SettingsError: the vocabulary has more pieces than the model.
    """
    if len(vocabulary) > config.vocab_size:
        raise SettingsError(
            f"{vocabulary.name} has {len(vocabulary)} pieces; expected at most the model's vocab_size, "
            f"{config.vocab_size}"
        )
    architecture = PRETRAINING if (NEXT_SENTENCE, 2) in config.heads else MASKED_LM
    tensors, left_out = {}, []
    for variable in model.weights:
        name = tensor_name(variable.path)
        if name is None or (architecture == MASKED_LM and name.startswith((POOLER, "cls.seq_relationship."))):
            left_out.append(variable.path)
        else:
            tensors[name] = to_tensor(variable.path, keras.ops.convert_to_numpy(variable))
    directory.mkdir(parents=True, exist_ok=True)
    # `transformers` refuses files that do not say whose layout their tensors have. Not `save_file`, whose files only
    # their owner may read.
    (directory / WEIGHTS).write_bytes(safetensors.numpy.save(tensors, {"format": "pt"}))
    write_json(directory / CONFIG, _describe(config, vocabulary, architecture))
    write_tokenizer(vocabulary, directory, do_lower_case=do_lower_case, max_length=config.max_position_embeddings)
    return tuple(left_out)


def _describe(config: ModelConfig, vocabulary: Vocabulary, architecture: str) -> dict[str, Any]:
    described = dataclasses.asdict(config)
    del described["heads"]
    return described | {
        "model_type": "bert",
        "architectures": [architecture],
        "hidden_act": ACTIVATIONS[config.hidden_act][0],
        "pad_token_id": vocabulary.pad_id,
        "tie_word_embeddings": True,
    }
