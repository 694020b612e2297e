"""A model's tokenizer in the files that Hugging Face gives it, read and written without TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import decoders, processors

from mlm_data.config import SettingsError, WordpieceSettings
from mlm_data.storage import LocalStorage
from mlm_data.vocabulary import CLS, CONTINUATION, MASK, PAD, SEP, SPECIAL_TOKENS, UNK, Vocabulary
from mlm_data.wordpiece import make_bert_tokenizer

VOCABULARY, TOKENIZER, TOKENIZER_CONFIG = "vocab.txt", "tokenizer.json", "tokenizer_config.json"

_SPECIALS = {"pad_token": PAD, "unk_token": UNK, "cls_token": CLS, "sep_token": SEP, "mask_token": MASK}


def has_tokenizer(directory: Path) -> bool:
    """Whether `read_vocabulary` has something to read there."""
    return any((directory / name).is_file() for name in (VOCABULARY, TOKENIZER))


def read_vocabulary(directory: Path) -> Vocabulary:
    """The pieces by id, from `vocab.txt` or else `tokenizer.json`, all that `transformers` 5 writes.

    Raises:
        SettingsError: there is neither, or what is there is no WordPiece vocabulary.
    """
    if (directory / VOCABULARY).is_file() or not (directory / TOKENIZER).is_file():
        return Vocabulary.load(str(directory / VOCABULARY), LocalStorage())
    path = directory / TOKENIZER
    try:
        model = read_json(path)["model"]
        if model["type"] != "WordPiece":
            raise ValueError(f"its model is {model['type']}")
        pieces = sorted(model["vocab"], key=model["vocab"].get)
    except (KeyError, TypeError, ValueError) as error:
        raise SettingsError(f"{path} is not understood: {error!r}; expected a WordPiece tokenizer") from error
    return Vocabulary.parse("\n".join([*pieces, ""]).encode(), str(path))


def reads_lower_case(directory: Path) -> bool:
    """Whether `tokenizer_config.json` says that text is lower-cased; it is where nothing is said, as in `transformers`.

    Raises:
        SettingsError: the file is there and cannot be read.
    """
    path = directory / TOKENIZER_CONFIG
    return bool(read_json(path).get("do_lower_case", True)) if path.is_file() else True


def write_tokenizer(vocabulary: Vocabulary, directory: Path, *, do_lower_case: bool, max_length: int) -> None:
    """Writes `vocab.txt`, `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.

    To this tokenizer special tokens written out in a text are special, as its users expect; to this project's they are
    not. `transformers` 5 reads the pieces only and makes the rest anew, so that words of more than 100 characters are
    [UNK] there.

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
    (directory / TOKENIZER).write_text(tokenizer.to_str(pretty=True), encoding="utf-8")
    (directory / VOCABULARY).write_bytes(vocabulary.content)
    write_json(directory / "special_tokens_map.json", _SPECIALS)
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": do_lower_case,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "model_max_length": max_length,
    }
    write_json(directory / TOKENIZER_CONFIG, settings | _SPECIALS)


def read_json(path: Path) -> dict[str, Any]:
    """An object from a file.

    Raises:
        SettingsError: the file cannot be read or holds none.
    """
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, TypeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"{path} cannot be read: {reason}; expected that of a Hugging Face model") from error


def write_json(path: Path, value: Any) -> None:
    """An object to a file, for people too."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
