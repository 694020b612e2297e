"""A trained model in every form it is used in: for Hugging Face's library, for Keras, and as a server of strings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras

from mlm_data.training.huggingface import write_checkpoint
from mlm_data.training.model import ModelConfig, build_model
from mlm_data.training.serving import TextOpsError, write_saved_model
from mlm_data.training.trained_models import Form
from mlm_data.vocabulary import Vocabulary


@dataclass(frozen=True)
class Exported:
    """What came of an export.

    Attributes:
        left_out_variables: by path; those that the Hugging Face model has no place for.
        no_saved_model: why there is none; empty if there is one.
    """

    left_out_variables: tuple[str, ...]
    no_saved_model: str


def export(
    model: keras.Model, config: ModelConfig, vocabulary: Vocabulary, directory: Path, *, do_lower_case: bool
) -> Exported:
    """Writes `huggingface/`, `model.keras` and, where tensorflow-text is installed, `saved_model/`, all in float32.

    Args:
        model: from `build_model(config)`, under any dtype policy and with any `mlm_output`.
        config: its shape.
        vocabulary: its pieces.
        directory: is replaced when all is written, so that it never holds part of an export.
        do_lower_case: whether text is lower-cased before tokenization.

    Raises:
        SettingsError: the vocabulary has more pieces than the model.
    """
    unfinished = directory.with_name(f"{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    plain = _in_float32(model, config)
    left_out = write_checkpoint(plain, config, vocabulary, unfinished / Form.HUGGINGFACE, do_lower_case=do_lower_case)
    plain.save(unfinished / Form.KERAS)
    no_saved_model = ""
    try:
        write_saved_model(plain, config, vocabulary, unfinished / Form.SAVED_MODEL, do_lower_case=do_lower_case)
    except TextOpsError as error:
        no_saved_model = str(error)
    shutil.rmtree(directory, ignore_errors=True)
    unfinished.rename(directory)
    return Exported(left_out, no_saved_model)


def _in_float32(model: keras.Model, config: ModelConfig) -> keras.Model:
    with _float32_policy():
        plain = build_model(config)
    values = {variable.path: variable for variable in model.weights}
    for variable in plain.weights:
        variable.assign(values[variable.path])
    return plain


@contextmanager
def _float32_policy() -> Iterator[None]:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
