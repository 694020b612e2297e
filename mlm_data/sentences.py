"""Room 3: a cleaned document becomes its sentences.

Two libraries do the work, and each covers for the other. sentencex (github.com/wikimedia/sentencex) knows the rules
and abbreviations of some thirty languages but breaks neither inside quotes nor inside brackets. ICU follows the
sentence boundaries of Unicode Standard Annex 29, which break there, and after "Mr." and "D.C." too. So long sentences
of the first are cut again by the second, and a full stop that the second breaks at is put to the first, shown without
the quotes around it.

F1 over the boundaries in Universal Dependencies is 0.96 to 0.99 for German, French, Russian, Chinese and Japanese with
either splitter, 0.87 to 0.88 for English web text, where three in four boundaries missed have no end mark at all.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Iterable, Iterator
from typing import cast

import sentencex
from icu4py.breakers import SentenceBreaker
from icu4py.locale import Locale

from mlm_data.config import SentencesSettings, SettingsError

_LONG_IN_WORDS = 64
# Longer words than this on average: a script that sets no spaces between them, where characters are counted instead.
_LONG_MEAN_WORD = 20
# sentencex is quadratic in a paragraph of unmatched quotes: 20 ms for 10,000 of them, minutes for a million.
_LONGEST_BLOCK = 4_000

# Few sentences begin with a number, many citations go on with one: "87 Stat. 788". "2." and "2)" may count items.
_PLAIN_NUMBER = re.compile(r"\d{3}|\d+(?![\d.)])")
_STRAIGHT_QUOTES = "\"'"
_QUOTE_OR_BRACKET = re.compile(r"""["'`“”‘’„‚‟‛«»‹›「」『』《》()（）\[\]{}<>]""")  # noqa: RUF001
_WITHOUT_SENTENCE_MARKS = {"bo": "Tibetan", "dz": "Dzongkha", "lo": "Lao", "th": "Thai"}
_UNKNOWN_TO_SENTENCEX = {"km": "Khmer"}


class SentenceSplitter:
    """Cuts documents into sentences, the way `SentencesSettings` says.

    Building one takes microseconds: make it where it runs rather than send it there.

    A language that sentencex has no rules for is no error: it takes those of a related one, at worst English. ICU has
    one set of rules for all.
    """

    def __init__(self, settings: SentencesSettings) -> None:
        """Takes splitter and language from the settings.

        Raises:
            SettingsError: the language is not an ISO 639 code, or the splitter finds no sentences in it; `newline`
                takes any.
        """
        self._splitter = settings.sentence_splitter
        self._language = "" if self._splitter == "newline" else _language_code(settings)

    def split(self, text: str) -> list[str]:
        """The sentences of a document in their order, none empty, no white space around them.

        Args:
            text: a cleaned document: one paragraph a line, no white space but single spaces within a line, no lone
                surrogates, which no UTF-8 library takes.

        Returns:
            Sentences of one paragraph each, which together hold every character of the text but white space. Text
            without an end of sentence is one sentence, however long.

        >>> SentenceSplitter(SentencesSettings()).split("Mr. Poe came in. He sat.")
        ['Mr. Poe came in.', 'He sat.']
        """
        if self._splitter == "newline":
            return split_lines(text)
        if self._splitter == "icu":
            return self._by_unicode_rules(text)
        return [sentence for block in self._blocks(text) for sentence in self._by_language_rules(block)]

    def _blocks(self, text: str) -> Iterator[str]:
        """The paragraphs, each very long one in several parts that end with a sentence."""
        for paragraph in text.split("\n"):
            if len(paragraph) <= _LONGEST_BLOCK:
                yield paragraph
            else:
                yield from _gather(self._unicode_pieces(paragraph), _LONGEST_BLOCK)

    def _by_language_rules(self, block: str) -> list[str]:
        pieces = _segment(self._language, block) if len(block) <= _LONGEST_BLOCK else None
        if pieces is None:
            return self._by_unicode_rules(block)
        if len(pieces) > 1:
            _return_quotes(pieces)
        # 65 words and the spaces between them are 129 characters; without spaces, 65 may be too many.
        surely_short = 2 * _LONG_IN_WORDS if block.isascii() else _LONG_IN_WORDS
        sentences: list[str] = []
        for piece in map(str.strip, pieces):
            if len(piece) > surely_short and _is_long(piece):
                sentences += self._by_unicode_rules(piece)
            elif piece:
                sentences.append(piece)
        return sentences

    def _by_unicode_rules(self, text: str) -> list[str]:
        return [sentence for sentence in map(str.strip, self._unicode_pieces(text)) if sentence]

    def _unicode_pieces(self, text: str) -> Iterator[str]:
        pieces = list(SentenceBreaker(text, self._language))
        start = 0
        for end, piece in enumerate(pieces, start=1):
            if end < len(pieces) and piece.endswith(" ") and self._runs_on(piece, pieces[end]):
                continue
            yield piece if end == start + 1 else "".join(pieces[start:end])
            start = end

    def _runs_on(self, piece: str, following: str) -> bool:
        """Whether a sentence goes on behind the mark that ends a piece."""
        if following[0].islower() and _QUOTE_OR_BRACKET.match(piece[-2:]):
            return True  # "Who?" he asked.
        if not piece.endswith(". "):
            return False
        if _PLAIN_NUMBER.match(following):
            return True
        words = piece[-40:].rsplit(None, 2)[-2:] + following[:40].split(None, 2)[:2]
        pieces = _segment(self._language, _QUOTE_OR_BRACKET.sub("", " ".join(words)))
        return pieces is not None and len(pieces) == 1


def split_lines(text: str) -> list[str]:
    r"""The lines of a document as its sentences, for text that has one sentence a line.

    Args:
        text: one sentence a line; nothing but a line feed ends one.

    Returns:
        The lines, none empty, no white space around them.

    >>> split_lines("Mr. Poe came in.\n\n He sat. \n")
    ['Mr. Poe came in.', 'He sat.']
    """
    return [line for line in map(str.strip, text.split("\n")) if line]


def _language_code(settings: SentencesSettings) -> str:
    # sentencex reads "DE" and "deu" as unknown, that is as English, without a word; ICU brings both to "de".
    code = Locale(settings.language).language
    got = f"--language is {settings.language!r}"
    if len(code) not in (2, 3):
        raise SettingsError(f"{got}; expected an ISO 639 code of two or three letters such as en")
    if code in _WITHOUT_SENTENCE_MARKS:
        raise SettingsError(
            f"{got}, but {_WITHOUT_SENTENCE_MARKS[code]} has no mark that ends sentences and nothing else, so neither "
            "sentencex nor icu can find them; put one sentence on a line and use --sentence_splitter newline"
        )
    if code in _UNKNOWN_TO_SENTENCEX and settings.sentence_splitter == "sentencex":
        raise SettingsError(
            f"{got}, but sentencex does not know the marks that end sentences in {_UNKNOWN_TO_SENTENCEX[code]}; use "
            "--sentence_splitter icu"
        )
    return code


def _segment(language: str, text: str) -> list[str] | None:
    """The pieces sentencex cuts a text into; None where it panics (known before: on "A", no-break space, ".")."""
    try:
        return cast("list[str]", sentencex.segment(language, text))
    except BaseException as error:
        # The class is made by the Rust binding and cannot be imported; it is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        _warn_of_panic()
        return None


@functools.cache
def _warn_of_panic() -> None:
    logging.getLogger(__name__).warning(
        "sentencex failed on a paragraph, which is split by ICU's rules instead; said once, it may happen again"
    )


def _is_long(sentence: str) -> bool:
    words = sentence.count(" ") + 1
    return words > _LONG_IN_WORDS or len(sentence) > _LONG_MEAN_WORD * words


def _gather(pieces: Iterable[str], most: int) -> Iterator[str]:
    """Joins neighbours to strings of at most so many characters; a longer piece stays alone."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        if held and size + len(piece) > most:
            yield "".join(held)
            held, size = [], 0
        held.append(piece)
        size += len(piece)
    yield "".join(held)


def _return_quotes(pieces: list[str]) -> None:
    """Gives straight quotes at a break back, in place, to the word they touch.

    In a paragraph with an odd number of them sentencex may take an opening quote for a closing one, or the reverse.
    """
    for left in range(len(pieces) - 1):
        before = pieces[left]
        if before.endswith(" "):
            continue
        after = pieces[left + 1]
        word, rest = before.rstrip(_STRAIGHT_QUOTES), after.lstrip(_STRAIGHT_QUOTES)
        if word != before and (not word or word.endswith(" ")):
            pieces[left : left + 2] = word, before[len(word) :] + after
        elif rest != after and (not rest or rest.startswith(" ")):
            pieces[left : left + 2] = before + after[: len(after) - len(rest)], rest
