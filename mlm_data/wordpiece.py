"""Room 4: sentences become WordPiece ids, by the rules of google-research/bert's `tokenization.py`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import models, normalizers, pre_tokenizers

from mlm_data.config import WordpieceSettings
from mlm_data.records import SplitDocument, TokenizedDocument
from mlm_data.vocabulary import CONTINUATION, MAX_WORD_CHARACTERS, UNK, Vocabulary

ENGINES = ("auto", "nanotoken", "tokenizers")

_LOGGER = logging.getLogger(__name__)

Ids = NDArray[np.uint32]
Offsets = NDArray[np.int64]
_Encode = Callable[[Sequence[str]], tuple[Ids, Offsets]]


class WordpieceTokenizer:
    """BERT's tokenizer. It does not pickle: make it where it runs.

    Literal special tokens in text ("[MASK]") are ordinary text, as in google-research/bert.

    Args:
        vocabulary: its pieces and ids.
        settings: whether to lower-case and strip accents.
        engine: "nanotoken", "tokenizers" (40 times slower, the same ids), or "auto": the first that is installed.
    """

    def __init__(self, vocabulary: Vocabulary, settings: WordpieceSettings, engine: str = "auto") -> None:
        if engine not in ENGINES:
            raise ValueError(f"engine {engine!r}; expected one of {', '.join(ENGINES)}")
        self._id_dtype = vocabulary.id_dtype
        self._encode = _make_engine(make_bert_tokenizer(vocabulary, settings), engine)

    def encode(self, sentences: Sequence[str]) -> tuple[Ids, Offsets]:
        r"""The ids of each sentence, without [CLS] and [SEP].

        Args:
            sentences: any text without lone surrogates.

        Returns:
            All ids end to end, uint32, shape [tokens], and where each sentence begins, int64, shape [sentences + 1].

        >>> small = Vocabulary.parse(b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nmask\n##ed\n", "small.txt")
        >>> ids, offsets = WordpieceTokenizer(small, WordpieceSettings()).encode(["Masked", "", "mask it"])
        >>> ids.tolist(), offsets.tolist()
        ([5, 6, 5, 1], [0, 2, 2, 4])
        """
        return self._encode(sentences)

    def tokenize(self, documents: Sequence[SplitDocument]) -> list[TokenizedDocument]:
        """The documents as ids, in order. One call of the engine for all: give it hundreds of sentences at a time.

        Sentences of which nothing is left (nothing but control characters, say) are dropped; a document may end with
        none.
        """
        ids, offsets = self.encode(list(chain.from_iterable(document.sentences for document in documents)))
        bounds = accumulate((len(document.sentences) for document in documents), initial=0)
        return [
            self._cut(document, ids, offsets[start : end + 1])
            for document, (start, end) in zip(documents, pairwise(bounds), strict=True)
        ]

    def _cut(self, document: SplitDocument, ids: Ids, offsets: Offsets) -> TokenizedDocument:
        kept = np.append(True, np.diff(offsets) > 0)
        # Cast, hence copied: a view would keep the ids of the whole batch alive.
        own_ids: NDArray[Any] = ids[offsets[0] : offsets[-1]].astype(self._id_dtype)
        own_offsets = (offsets[kept] - offsets[0]).astype(np.uint32)
        return TokenizedDocument(document.key, document.source, document.index, own_ids, own_offsets, document.repairs)


def make_word_splitter(*, do_lower_case: bool) -> Callable[[str], list[str]]:
    """Makes the function that cuts text into words as this room does before it looks pieces up.

    >>> make_word_splitter(do_lower_case=True)("Don't, caf\u00e9!")
    ['don', "'", 't', ',', 'cafe', '!']
    """
    normalizer, pre_tokenizer = _bert_normalizer(do_lower_case), pre_tokenizers.BertPreTokenizer()

    def split(text: str) -> list[str]:
        if text.isascii() and text.isalnum():  # one plain word, as most are: the rules only lower-case it
            return [text.lower() if do_lower_case else text]
        return [word for word, _ in pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(text))]

    return split


def make_bert_tokenizer(vocabulary: Vocabulary, settings: WordpieceSettings) -> tokenizers.Tokenizer:
    """The authority on ids: BERT's tokenizer as a `tokenizers.Tokenizer`, which knows of no special token in text."""
    ids = {piece: number for number, piece in enumerate(vocabulary.pieces) if piece}
    model = models.WordPiece(
        ids, unk_token=UNK, continuing_subword_prefix=CONTINUATION, max_input_chars_per_word=MAX_WORD_CHARACTERS
    )
    # No token is added to it here, so that literal [MASK] in text stays text.
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = _bert_normalizer(settings.do_lower_case)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _bert_normalizer(do_lower_case: bool) -> normalizers.Normalizer:
    # strip_accents=None: as lower-casing goes.
    return normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=do_lower_case
    )


def _make_engine(tokenizer: tokenizers.Tokenizer, engine: str) -> _Encode:
    if engine != "tokenizers":
        try:
            return _nanotoken_engine(tokenizer)
        except ImportError as error:
            if engine == "nanotoken":
                raise
            _LOGGER.warning("nanotoken is not to be had (%s): tokenizers gives the same ids, 40 times slower", error)
    return _tokenizers_engine(tokenizer)


def _nanotoken_engine(tokenizer: tokenizers.Tokenizer) -> _Encode:
    import nanotoken  # noqa: PLC0415 (absent where no wheel exists)

    fast = nanotoken.Tokenizer(tokenizer)

    def encode(sentences: Sequence[str]) -> tuple[Ids, Offsets]:
        # The processes are the parallelism.
        rows = fast.encode_batch(sentences, add_special_tokens=False, parallel=False)
        return rows.ids, rows.offsets

    return encode


def _tokenizers_engine(tokenizer: tokenizers.Tokenizer) -> _Encode:
    def encode(sentences: Sequence[str]) -> tuple[Ids, Offsets]:
        # One by one, since its own batches start a thread per core, which must not meet a fork.
        rows = [tokenizer.encode(sentence, add_special_tokens=False).ids for sentence in sentences]
        ids = np.fromiter(chain.from_iterable(rows), np.uint32)
        return ids, np.array([0, *accumulate(map(len, rows))], np.int64)

    return encode
