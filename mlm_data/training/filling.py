"""The most probable pieces for each [MASK] of a text, from a trained model in any of its forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from mlm_data.config import SettingsError, WordpieceSettings
from mlm_data.training.model_choice import load_export
from mlm_data.training.serving import FILL_MASK, TextOpsError, import_text_ops
from mlm_data.training.tokenizer_files import read_vocabulary, reads_lower_case
from mlm_data.training.trained_models import TrainedModel
from mlm_data.vocabulary import MASK
from mlm_data.wordpiece import WordpieceTokenizer


@dataclass(frozen=True, slots=True)
class Guess:
    """A piece that may stand in the place of a [MASK], and how probable the model finds it."""

    piece: str
    probability: float


class MaskFiller(Protocol):
    """A model that guesses."""

    def fill(self, text: str, top: int) -> list[list[Guess]]:
        """The `top` best guesses for each [MASK] of a text, most probable first. Masks are filled independently.

        Raises:
            SettingsError: the text is too long for the model.
        """


def load_filler(trained: TrainedModel) -> MaskFiller:
    """Loads a trained model.

    Raises:
        SettingsError: its files cannot be understood, or need what is not installed.
    """
    if trained.tokenizer is None:
        return _SavedModelFiller(trained)
    return _KerasFiller(trained, load_export(trained))


class _KerasFiller:
    def __init__(self, trained: TrainedModel, model: keras.Model) -> None:
        self._model = model
        assert trained.tokenizer
        self._vocabulary = read_vocabulary(trained.tokenizer)
        settings = WordpieceSettings(do_lower_case=reads_lower_case(trained.tokenizer))
        self._tokenizer = WordpieceTokenizer(self._vocabulary, settings)

    def fill(self, text: str, top: int) -> list[list[Guess]]:
        ids = self._encode(text)
        positions = np.flatnonzero(ids == self._vocabulary.mask_id)
        features = {
            "input_word_ids": ids,
            "input_mask": np.ones_like(ids),
            "input_type_ids": np.zeros_like(ids),
            "masked_lm_positions": positions.astype(np.int32),
        }
        batch = {name: values[np.newaxis] for name, values in features.items()}
        logits = self._model(batch, training=False)["mlm_logits"][0, :, : len(self._vocabulary)]
        probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
        best = np.argsort(-probabilities, axis=-1, kind="stable")[:, :top]
        return [
            [Guess(self._vocabulary.pieces[piece], float(row[piece])) for piece in order]
            for row, order in zip(probabilities, best.tolist(), strict=True)
        ]

    def _encode(self, text: str) -> NDArray[np.int32]:
        """Ids of the text between [CLS] and [SEP], [MASK] where the text says so, int32."""
        ids, offsets = self._tokenizer.encode(text.split(MASK))
        with_masks = np.insert(ids.astype(np.int32), offsets[1:-1], self._vocabulary.mask_id)
        whole = np.array([self._vocabulary.cls_id, *with_masks, self._vocabulary.sep_id], np.int32)
        limit = self._model.get_layer("place_embeddings").max_positions
        if len(whole) > limit:
            raise SettingsError(f"the text has {len(whole)} tokens; expected at most the {limit} that the model takes")
        return whole


class _SavedModelFiller:
    def __init__(self, trained: TrainedModel) -> None:
        try:
            import_text_ops()
            loaded = tf.saved_model.load(str(trained.path))
        except (TextOpsError, OSError, tf.errors.OpError) as error:
            raise SettingsError(f"{trained.path} cannot be loaded: {error}") from error
        if FILL_MASK not in loaded.signatures:
            raise SettingsError(f"{trained.path} has no signature {FILL_MASK}; expected a SavedModel of train-bert")
        self._loaded = loaded  # which keeps the variables alive
        self._fill_mask: Any = loaded.signatures[FILL_MASK]

    def fill(self, text: str, top: int) -> list[list[Guess]]:
        try:
            filled = self._fill_mask(text=tf.constant([text]), top=tf.constant(top))
        except tf.errors.InvalidArgumentError as error:
            raise SettingsError("the text has more tokens than the model takes") from error
        masks = zip(filled["pieces"][0].numpy(), filled["probabilities"][0].numpy(), strict=True)
        return [
            [Guess(piece.decode(), float(probability)) for piece, probability in zip(*mask, strict=True)]
            for mask in masks
        ]
