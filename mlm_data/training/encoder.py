"""A trained model without its heads, to put others on: text in, vectors out.

encoder = load_encoder(Path("out/model"))
probabilities = keras.layers.Dense(3, "softmax")(encoder.model.output["pooled_output"])
classifier = keras.Model(encoder.model.input, probabilities)
classifier.compile(keras.optimizers.AdamW(5e-5), "sparse_categorical_crossentropy")
classifier.fit(encoder.encode(texts, max_seq_length=128), labels)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from mlm_data.config import SettingsError, WordpieceSettings
from mlm_data.training.model import SEQUENCE_INPUTS
from mlm_data.training.model_choice import load_export
from mlm_data.training.tokenizer_files import read_vocabulary, reads_lower_case
from mlm_data.training.trained_models import find_trained_model
from mlm_data.vocabulary import Vocabulary
from mlm_data.wordpiece import WordpieceTokenizer

OUTPUTS = ("sequence_output", "pooled_output")


@dataclass(frozen=True)
class Encoder:
    """An encoder and its tokenizer.

    Attributes:
        model: takes a dict of `input_word_ids`, `input_mask` and `input_type_ids`, int32 [texts, seq], and gives one of
            `sequence_output`, float32 [texts, seq, hidden], and `pooled_output`, float32 [texts, hidden].
        vocabulary: its pieces.
        tokenizer: of this vocabulary.
    """

    model: keras.Model
    vocabulary: Vocabulary
    tokenizer: WordpieceTokenizer

    def encode(self, texts: Sequence[str], *, max_seq_length: int) -> dict[str, NDArray[np.int32]]:
        """What `model` takes, int32 [texts, max_seq_length]: [CLS], a text of one segment, [SEP], padding.

        Args:
            texts: without lone surrogates.
            max_seq_length: what is beyond is cut off, at the end of the text.

        Raises:
            SettingsError: the model cannot read such sequences, or there is no room in them.
        """
        limit = self.model.get_layer("place_embeddings").max_positions
        if not 2 < max_seq_length <= limit:
            raise SettingsError(f"max_seq_length is {max_seq_length}; expected from 3 to {limit}, what the model takes")
        ids, offsets = self.tokenizer.encode(texts)
        ends = 1 + np.minimum(np.diff(offsets), max_seq_length - 2)[:, np.newaxis]
        columns = np.arange(max_seq_length)
        word_ids = np.full((len(texts), max_seq_length), self.vocabulary.pad_id, np.int32)
        is_text = (columns > 0) & (columns < ends)
        word_ids[is_text] = ids[(offsets[:-1, np.newaxis] + columns - 1)[is_text]]
        word_ids[:, 0] = self.vocabulary.cls_id
        np.put_along_axis(word_ids, ends, self.vocabulary.sep_id, axis=1)
        mask = (columns <= ends).astype(np.int32)
        return dict(zip(SEQUENCE_INPUTS, (word_ids, mask, np.zeros_like(word_ids)), strict=True))


def load_encoder(path: Path) -> Encoder:
    """The encoder of a trained model, with all its weights free to be trained.

    The layer behind `pooled_output` is trained by next sentence or sentence order prediction alone. Of a model that
    knows neither it is as new, and in Hugging Face's layout left out, so that it is drawn here, as
    `keras.utils.set_random_seed` decides: a task may train it, but do not use it as it is.

    Args:
        path: a directory of `train-bert`, its export in Hugging Face's layout or as `.keras` file, or another BERT
            checkpoint.

    Raises:
        SettingsError: there is no such model, or its files cannot be understood.
    """
    trained = find_trained_model(path)
    if trained.tokenizer is None:
        raise SettingsError(
            f"{path} is a SavedModel, which fills in masks and nothing else; expected a directory of train-bert, one "
            f"with config.json and model.safetensors, or a .keras file"
        )
    vocabulary = read_vocabulary(trained.tokenizer)
    settings = WordpieceSettings(do_lower_case=reads_lower_case(trained.tokenizer))
    return Encoder(_without_heads(load_export(trained)), vocabulary, WordpieceTokenizer(vocabulary, settings))


def _without_heads(model: keras.Model) -> keras.Model:
    inputs = {name: model.input[name] for name in SEQUENCE_INPUTS}
    return keras.Model(inputs, {name: model.output[name] for name in OUTPUTS}, name="encoder")
