"""Checkpoints written, as `from_pretrained` in `transformers` takes them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import safetensors.numpy
from tokenizers import decoders, processors

from mlm_data.config import SettingsError, WordpieceSettings
from mlm_data.training.huggingface.names import (
    ACTIVATIONS,
    CONFIG,
    MASKED_LM,
    POOLER,
    PRETRAINING,
    TOKENIZER_CONFIG,
    VOCABULARY,
    WEIGHTS,
    tensor_name,
    to_tensor,
)
from mlm_data.training.model import NEXT_SENTENCE, ModelConfig
from mlm_data.vocabulary import CLS, CONTINUATION, MASK, PAD, SEP, SPECIAL_TOKENS, UNK, Vocabulary
from mlm_data.wordpiece import make_bert_tokenizer

_SPECIALS = {"pad_token": PAD, "unk_token": UNK, "cls_token": CLS, "sep_token": SEP, "mask_token": MASK}


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
    # `transformers` refuses files that do not say whose layout their tensors have.
    safetensors.numpy.save_file(tensors, directory / WEIGHTS, {"format": "pt"})
    _write_json(directory / CONFIG, _describe(config, vocabulary, architecture))
    write_tokenizer(vocabulary, directory, do_lower_case=do_lower_case, max_length=config.max_position_embeddings)
    return tuple(left_out)


def write_tokenizer(vocabulary: Vocabulary, directory: Path, *, do_lower_case: bool, max_length: int) -> None:
    """Writes `vocab.txt`, `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.

    Unlike here, special tokens written out in a text are special to this tokenizer, as Hugging Face's users expect.

    Args:
        vocabulary: its pieces.
        directory: exists.
        do_lower_case: whether text is lower-cased and loses its accents.
        max_length: of a sequence that the model takes, in tokens.
    """
    tokenizer = make_bert_tokenizer(vocabulary, WordpieceSettings(do_lower_case=do_lower_case))
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{CLS}:0 $A:0 {SEP}:0",
        pair=f"{CLS}:0 $A:0 {SEP}:0 $B:1 {SEP}:1",
        special_tokens=[(CLS, vocabulary.cls_id), (SEP, vocabulary.sep_id)],
    )
    tokenizer.decoder = decoders.WordPiece(prefix=CONTINUATION)
    (directory / "tokenizer.json").write_text(tokenizer.to_str(pretty=True), encoding="utf-8")
    (directory / VOCABULARY).write_bytes(vocabulary.content)
    _write_json(directory / "special_tokens_map.json", _SPECIALS)
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": do_lower_case,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "model_max_length": max_length,
    }
    _write_json(directory / TOKENIZER_CONFIG, settings | _SPECIALS)


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


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
