"""Which model is meant: a new one of some size, or one whose weights are there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import tensorflow as tf

from mlm_data.config import SettingsError
from mlm_data.config.training import TrainingSettings
from mlm_data.objectives import OBJECTIVES
from mlm_data.training.dataset import DataNeeds, PretrainingData, check_length
from mlm_data.training.huggingface import check_vocabulary, load_weights, read_config
from mlm_data.training.model import NEXT_SENTENCE, ModelConfig, build_model
from mlm_data.training.run_directory import find_checkpoint, find_weights, read_model, read_needs
from mlm_data.training.tokenizer_files import read_vocabulary, reads_lower_case
from mlm_data.training.trained_models import Form, TrainedModel


def choose_model(settings: TrainingSettings, data: PretrainingData) -> ModelConfig:
    """The shape of the model to train.

    Args:
        settings: name its size, or the checkpoint to start from.
        data: decides its vocabulary, and whether it has a next sentence head.

    Raises:
        SettingsError: data and checkpoint do not fit each other, or instances are longer than the model can read.
    """
    changes = {
        "heads": ((NEXT_SENTENCE, 2),) if data.has_sentence_labels else (),
        "hidden_dropout_prob": settings.dropout,
        "attention_probs_dropout_prob": settings.dropout,
    }
    if settings.init_checkpoint:
        directory = find_weights(Path(settings.init_checkpoint))
        check_vocabulary(directory, data.vocabulary)
        config = read_config(directory, **changes)
        config = dataclasses.replace(config, vocab_size=max(config.vocab_size, len(data.vocabulary)))
    else:
        changes["max_position_embeddings"] = settings.max_position_embeddings
        config = ModelConfig.of_size(settings.model_size, len(data.vocabulary), **changes)
    check_length(data, config.max_position_embeddings)
    return config


def load_model(path: Path, data: PretrainingData) -> keras.Model:
    """A trained model that is to be judged on data.

    Args:
        path: a directory of `train-bert`, one of its checkpoints, or a BERT in Hugging Face's layout.
        data: its ids, labels and lengths have to be those of the model.

    Raises:
        SettingsError: there is no such model, or the data means something else to it.
    """
    if checkpoint := find_checkpoint(path):
        return _load_checkpoint(checkpoint, data)
    directory = find_weights(path)
    config = read_config(directory)
    (read_needs(path) or _assume_needs(directory, config)).check(data)
    check_length(data, config.max_position_embeddings)
    model = build_model(config)
    load_weights(model, directory)
    return model


def _load_checkpoint(checkpoint: Path, data: PretrainingData) -> keras.Model:
    values = read_model(checkpoint)
    config = ModelConfig(**values | {"heads": tuple(map(tuple, values["heads"]))})
    if needs := read_needs(checkpoint.parent.parent):
        needs.check(data)
    check_length(data, config.max_position_embeddings)
    model = build_model(config)
    tf.train.Checkpoint(model=model).restore(str(checkpoint)).assert_existing_objects_matched().expect_partial()
    return model


def load_export(trained: TrainedModel) -> keras.Model:
    """A trained model as a Keras model, with the inputs and outputs of `build_model`.

    Args:
        trained: a model in Hugging Face's layout, or a `.keras` file.

    Raises:
        SettingsError: its files cannot be understood.
    """
    if trained.form is Form.HUGGINGFACE:
        model = build_model(read_config(trained.path))
        load_weights(model, trained.path)
        return model
    try:
        return keras.saving.load_model(trained.path, compile=False)
    except (OSError, TypeError, ValueError) as error:
        raise SettingsError(f"{trained.path} cannot be loaded: {error}; expected a model of train-bert") from error


def _assume_needs(directory: Path, config: ModelConfig) -> DataNeeds:
    """What data is right for a model of which nothing is known but what lies beside its weights."""
    vocabulary = read_vocabulary(directory)
    labels = OBJECTIVES["nsp"].label_meanings if config.heads else {}  # google-research/bert's, and ours
    return DataNeeds(len(vocabulary), vocabulary.sha256, reads_lower_case(directory), labels)
