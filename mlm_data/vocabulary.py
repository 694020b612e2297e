"""The WordPiece table of room 4: pieces, their ids, and which of them mean something special."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mlm_data.config import SettingsError
from mlm_data.storage import Storage

_Scalar = TypeVar("_Scalar", bound=np.generic)

PAD, UNK, CLS, SEP, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUATION = "##"
# A longer word is [UNK]: google-research/bert's limit (`WordpieceTokenizer`), twice that of `tokenizers`.
MAX_WORD_CHARACTERS = 200

MAX_BYTES = 64_000_000
_BYTE_ORDER_MARK, _SENTENCEPIECE_SPACE = "\ufeff", "\u2581"
# Text cannot give these: BERT's pre-tokenization cuts at brackets. The multilingual vocabulary has <S> and <T>.
_RESERVED = re.compile(r"\[.+\]|<.+>", re.DOTALL)

# Below this many pieces that have a case at all, nothing is said of it.
_CASED_PIECES_TO_JUDGE = 100
# BERT's uncased English vocabulary has 0.02 % of them in capitals, its cased ones more than 20 %.
_CAPITALS_IN_UNCASED, _CAPITALS_IN_CASED = 0.002, 0.02


@dataclass(frozen=True)
class Vocabulary:
    """WordPiece pieces; a piece's place is its id. Small when pickled: the file's bytes travel, the rest is remade.

    Attributes:
        pieces: by id.
        content: the file's bytes as given.
        name: of the file, for messages.
    """

    pieces: tuple[str, ...] = field(repr=False, compare=False)
    content: bytes = field(repr=False)
    name: str = field(compare=False)

    @classmethod
    def parse(cls, content: bytes, name: str) -> Vocabulary:
        """Reads a vocabulary file: one piece a line, numbered as `load_vocab` in google-research/bert does.

        Lines end with a line feed; white space around a piece (a carriage return, say) is dropped; an empty line takes
        a number; the last line may lack its end.

        Args:
            content: the file's bytes.
            name: of the file, for messages.

        Raises:
            SettingsError: it is no such file, lacks a special token, or has a piece twice.
        """
        text = _decode(content, name)
        lines = text.removesuffix("\n").split("\n")
        pieces = tuple(line.strip() for line in lines)
        present = set(pieces)
        missing = [token for token in SPECIAL_TOKENS if token not in present]
        if missing:
            raise SettingsError(_describe_missing(missing, text, pieces, name))
        _refuse_duplicates(pieces, name)
        return cls(pieces, content, name)

    @classmethod
    def load(cls, path: str, storage: Storage) -> Vocabulary:
        """Reads a vocabulary file from storage.

        Raises:
            SettingsError: as for `parse`, or the file cannot be read.
        """
        try:
            with storage.open_for_reading(path) as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            reason = error.strerror or str(error)
            raise SettingsError(f"--vocab_file {path} cannot be read: {reason}") from error
        return cls.parse(content, path)

    def __len__(self) -> int:
        return len(self.pieces)

    def __reduce__(self) -> tuple[Callable[[bytes, str], Vocabulary], tuple[bytes, str]]:
        return (_parse_once, (self.content, self.name))

    @cached_property
    def pad_id(self) -> int:
        """The id of [PAD]."""
        return self.pieces.index(PAD)

    @cached_property
    def unk_id(self) -> int:
        """The id of [UNK]."""
        return self.pieces.index(UNK)

    @cached_property
    def cls_id(self) -> int:
        """The id of [CLS]."""
        return self.pieces.index(CLS)

    @cached_property
    def sep_id(self) -> int:
        """The id of [SEP]."""
        return self.pieces.index(SEP)

    @cached_property
    def mask_id(self) -> int:
        """The id of [MASK]."""
        return self.pieces.index(MASK)

    @cached_property
    def sha256(self) -> str:
        """Of the file's bytes as given, 64 hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def id_dtype(self) -> type[np.uint16] | type[np.uint32]:
        """The narrowest type that holds every id."""
        return np.uint16 if len(self) <= 65_536 else np.uint32

    @cached_property
    def is_continuation(self) -> NDArray[np.bool_]:
        """Which pieces continue a word (start with ##), bool, shape [pieces]."""
        return _read_only(np.array([piece.startswith(CONTINUATION) for piece in self.pieces], np.bool_))

    @cached_property
    def ordinary_ids(self) -> NDArray[np.int32]:
        """Ids that may stand as a random replacement (no special token, no [unused1]), int32, ascending."""
        ordinary = [bool(piece) and not _RESERVED.fullmatch(piece) for piece in self.pieces]
        return _read_only(np.flatnonzero(ordinary).astype(np.int32))


@lru_cache(maxsize=4)
def _parse_once(content: bytes, name: str) -> Vocabulary:
    """What arrives pickled in many steps of a pipeline is the same value, and read once."""
    return Vocabulary.parse(content, name)


def join_pieces(pieces: Sequence[str]) -> str:
    """Pieces as readable text: ## pieces join the piece before them, spaces part the rest.

    >>> join_pieces(["un", "##afford", "##able", "!"])
    'unaffordable !'
    """
    return " ".join(pieces).replace(f" {CONTINUATION}", "")


def case_warning(vocabulary: Vocabulary, *, do_lower_case: bool) -> str | None:
    """What to say where vocabulary and lower-casing contradict each other; None where they agree or nobody can tell."""
    ordinary = [vocabulary.pieces[i] for i in vocabulary.ordinary_ids]
    cased = [piece for piece in ordinary if piece.lower() != piece.upper()]
    if len(cased) < _CASED_PIECES_TO_JUDGE:
        return None
    capitals = sum(piece != piece.lower() for piece in cased) / len(cased)
    if do_lower_case and capitals > _CAPITALS_IN_CASED:
        return (
            f"{vocabulary.name} looks cased ({capitals:.0%} of its words have capitals, which lower-cased text never "
            f"gives) but do_lower_case is on; give --no_do_lower_case unless this is meant"
        )
    if not do_lower_case and capitals < _CAPITALS_IN_UNCASED:
        return (
            f"{vocabulary.name} looks uncased (hardly a word in it has capitals, so that capitals in the text become "
            f"{UNK}) but do_lower_case is off; give --do_lower_case unless this is meant"
        )
    return None


def _decode(content: bytes, name: str) -> str:
    wanted = f"expected a WordPiece vocabulary: UTF-8 text, one piece a line, {', '.join(SPECIAL_TOKENS)} among them"
    if not content.strip():
        raise SettingsError(f"{name} is empty; {wanted}")
    if len(content) > MAX_BYTES:
        raise SettingsError(f"{name} is larger than {MAX_BYTES:,} bytes; {wanted}")
    if b"\0" not in content:
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            pass
    hint = " (a SentencePiece model, perhaps)" if _SENTENCEPIECE_SPACE.encode() in content else ""
    raise SettingsError(f"{name} is a binary file or not UTF-8{hint}; {wanted}")


def _describe_missing(missing: Sequence[str], text: str, pieces: Sequence[str], name: str) -> str:
    first = ", ".join(repr(piece[:20]) for piece in pieces[:5])
    return (
        f"{name} lacks {', '.join(missing)}; its {len(pieces):,} lines begin with {first}. {_guess_kind(text)} "
        f"Expected a WordPiece vocabulary, one piece a line; train-vocab makes one from your text"
    )


def _guess_kind(text: str) -> str:
    words = set(text.split())
    guesses = (
        (text.startswith(_BYTE_ORDER_MARK), "A byte order mark spoils its first line: save it as UTF-8 without one."),
        (text.lstrip().startswith("{"), "This is JSON, perhaps of a RoBERTa or other byte-level BPE model."),
        (text.startswith("#version"), "These are the merges of a byte-level BPE model (RoBERTa, GPT-2)."),
        (_SENTENCEPIECE_SPACE in text, "This is a SentencePiece vocabulary (ALBERT, XLM-R, T5)."),
        ({"<s>", "</s>"} <= words, "This is a vocabulary of RoBERTa's kind."),
        ({token.lower() for token in SPECIAL_TOKENS} <= words, "Its special tokens must be in capitals."),
        (True, "This may be a plain word list, or the vocabulary of another model."),
    )
    return next(guess for fits, guess in guesses if fits)


def _refuse_duplicates(pieces: Sequence[str], name: str) -> None:
    if len(set(pieces)) == len(pieces):
        return
    twice = [piece for piece, count in Counter(pieces).items() if count > 1]
    lines = [number for number, piece in enumerate(pieces, 1) if piece == twice[0]]
    what = repr(twice[0]) if twice[0] else "an empty line"
    raise SettingsError(
        f"{name} has {what} in lines {', '.join(map(str, lines[:5]))}"
        + (f" and {len(twice) - 1:,} more pieces twice" if len(twice) > 1 else "")
        + "; expected every piece once, since a piece's line is its id"
    )


def _read_only(array: NDArray[_Scalar]) -> NDArray[_Scalar]:
    array.flags.writeable = False
    return array
