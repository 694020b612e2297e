"""A SavedModel that takes text: tokenizer, model and the choice of the most probable pieces in one graph."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from mlm_data.config import WordpieceSettings
from mlm_data.training.model import ModelConfig
from mlm_data.vocabulary import CONTINUATION, MASK, MAX_WORD_CHARACTERS, UNK, Vocabulary
from mlm_data.wordpiece import make_bert_tokenizer

# Pieces for each [MASK] where nothing is asked; signatures have no optional inputs.
DEFAULT_TOP = 5
FILL_MASK = "fill_mask"


class TextOpsError(Exception):
    """tensorflow-text, whose operations tokenize in the graph, cannot be used; the message says why and what to do."""


def import_text_ops() -> Any:
    """Imports tensorflow-text; a SavedModel that has its operations is loaded only after that.

    Raises:
        TextOpsError: it is not installed, or for another version of TensorFlow.
    """
    try:
        return importlib.import_module("tensorflow_text")
    except (ImportError, tf.errors.OpError) as error:
        series = ".".join(tf.__version__.split(".")[:2])
        raise TextOpsError(
            f"tensorflow-text, which tokenizes in a SavedModel, cannot be imported ({error}); expected one for "
            f"TensorFlow {tf.__version__}: pip install 'tensorflow-text~={series}.0', where there is a wheel"
        ) from error


def write_saved_model(
    model: keras.Model, config: ModelConfig, vocabulary: Vocabulary, directory: Path, *, do_lower_case: bool
) -> None:
    """Writes a SavedModel that fills in each [MASK] of a text.

    The signature `fill_mask` takes `text`, string [batch], and `top`, int32 []; `serving_default` takes `text` alone.
    Both give `pieces`, string, and `probabilities`, float32, [batch, masks, top]: most probable first, and "" and 0
    where a text has fewer masks than another. A text that is too long for the model is an error.

    Raises:
        TextOpsError: see `import_text_ops`.
    """
    encode = _make_encoder(config, vocabulary, do_lower_case=do_lower_case)
    pieces = tf.constant(vocabulary.pieces)

    def fill_mask(text: tf.Tensor, top: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = encode(text)
        masks = tf.ragged.boolean_mask(tf.ragged.range(ids.row_lengths()), tf.equal(ids, vocabulary.mask_id))
        word_ids = ids.to_tensor(vocabulary.pad_id)
        features = {
            "input_word_ids": word_ids,
            "input_mask": tf.sequence_mask(ids.row_lengths(), dtype=tf.int32),
            "input_type_ids": tf.zeros_like(word_ids),
            "masked_lm_positions": tf.cast(masks.to_tensor(), tf.int32),
        }
        logits = model(features, training=False)["mlm_logits"][..., : len(vocabulary)]
        probabilities, best = tf.math.top_k(tf.nn.softmax(logits), tf.minimum(top, len(vocabulary)))
        is_mask = tf.sequence_mask(masks.row_lengths())[..., tf.newaxis]
        return {
            "pieces": tf.where(is_mask, tf.gather(pieces, best), ""),
            "probabilities": tf.where(is_mask, probabilities, 0.0),
        }

    text, top = tf.TensorSpec([None], tf.string, "text"), tf.TensorSpec([], tf.int32, "top")
    # Not Keras's own ExportArchive, which saves each variable twice.
    server = tf.Module()
    server.weights = [weight.value for weight in model.weights]
    signatures = {
        "serving_default": tf.function(lambda text: fill_mask(text, tf.constant(DEFAULT_TOP)), input_signature=[text]),
        FILL_MASK: tf.function(fill_mask, input_signature=[text, top]),
    }
    tf.saved_model.save(server, str(directory), signatures)


def _make_encoder(
    config: ModelConfig, vocabulary: Vocabulary, *, do_lower_case: bool
) -> Callable[[tf.Tensor], tf.RaggedTensor]:
    """Makes the function from text, string [batch], to ids with [CLS], [MASK] and [SEP], int32 [batch, (tokens)]."""
    tokenizer = import_text_ops().FastWordpieceTokenizer(
        list(vocabulary.pieces),
        suffix_indicator=CONTINUATION,
        max_bytes_per_word=4 * MAX_WORD_CHARACTERS,  # of up to four bytes each
        token_out_type=tf.int32,
        unknown_token=UNK,
    )
    normalize = _make_normalizer(vocabulary, do_lower_case=do_lower_case)
    limit = tf.constant(config.max_position_embeddings, tf.int64)

    def encode(text: tf.Tensor) -> tf.RaggedTensor:
        parts = tf.strings.split(text, MASK)
        masks = parts.with_flat_values(tf.fill(tf.shape(parts.flat_values), vocabulary.mask_id))
        # Each part with a [MASK] after it; the last one has none.
        tokens = tf.concat([tokenizer.tokenize(normalize(parts)), tf.expand_dims(masks, -1)], axis=2)
        tokens = tokens.merge_dims(1, 2)[:, :-1]
        first = tf.fill([tf.shape(text)[0], 1], vocabulary.cls_id)
        last = tf.fill([tf.shape(text)[0], 1], vocabulary.sep_id)
        ids = tf.concat([first, tokens, last], axis=1)
        message = f"a text has more than the {config.max_position_embeddings} tokens that the model takes"
        tf.debugging.assert_less_equal(ids.row_lengths(), limit, message)
        return ids

    return encode


def _make_normalizer(vocabulary: Vocabulary, *, do_lower_case: bool) -> Callable[[tf.RaggedTensor], tf.RaggedTensor]:
    """Makes the function that cleans and lower-cases strings [batch, (parts)] as this project's tokenizer does.

    tensorflow-text's own (`FastBertTokenizer`) makes "1\u20442" of a half and "," of a Chinese comma, which changes one
    line in ten of uncased Chinese and one in 150 of English Wikipedia. A table of characters does not.
    """
    normalizer = make_bert_tokenizer(vocabulary, WordpieceSettings(do_lower_case=do_lower_case)).normalizer
    between = "|"  # which stays what it is
    surrogates = range(0xD800, 0xE000)
    characters = [chr(code) for code in range(sys.maxunicode + 1) if code not in surrogates and chr(code) != between]
    normalized = normalizer.normalize_str(between.join(characters)).split(between)
    # Spaces around an ideograph are none of its own: the tokenizer cuts there.
    changed = {old: new for old, new in zip(characters, normalized, strict=True) if old not in (new, new.strip())}
    codes, replacements = tf.constant([ord(old) for old in changed]), tf.constant(list(changed.values()))

    def normalize(text: tf.RaggedTensor) -> tf.RaggedTensor:
        letters, found = tf.strings.unicode_split(text, "UTF-8"), tf.strings.unicode_decode(text, "UTF-8").flat_values
        place = tf.minimum(tf.searchsorted(codes, found), len(changed) - 1)
        is_changed = tf.equal(tf.gather(codes, place), found)
        flat = tf.where(is_changed, tf.gather(replacements, place), letters.flat_values)
        return tf.strings.reduce_join(letters.with_flat_values(flat), axis=-1)

    return normalize
