"""What has to be known of masking strategies to judge what they do."""

from __future__ import annotations

TOLERANCE_OF_WORDS = 0.05  # where words stay whole, chances are only nearly k / c

_TOKENS_TOGETHER = {"token": 1, "whole_word": 8, "ngram": 16, "span": 32}
_MOST_TOGETHER = max(_TOKENS_TOGETHER.values())


def is_exact(masking: str) -> bool:
    """Whether a record has just as many predictions as its length asks for, and each of its tokens the same chance."""
    return masking == "token"


def tokens_together(masking: str) -> int:
    """How many tokens share a fate at most, by and large: the pieces of a word, the words of a span.

    Counts of such tokens vary more than counts of independent ones. Divided by this number they vary no more.

    Args:
        masking: see `MaskingSettings`; of a strategy nobody knows, as many as of any.
    """
    return _TOKENS_TOGETHER.get(masking, _MOST_TOGETHER)
