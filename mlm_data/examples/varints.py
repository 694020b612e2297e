"""Integers as base-128 varints, https://protobuf.dev/programming-guides/encoding#varints, many at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ANOTHER_FOLLOWS = np.uint8(0x80)
_FEW = 0.25  # of the values; for so few it pays to look at them alone


def varint_size(value: int) -> int:
    """How many bytes the varint of a number takes that is not negative."""
    return max(1, -(-value.bit_length() // 7))


def encode_varints(values: NDArray[np.int32], longest: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Varints end to end.

    Args:
        values: none negative, shape [values].
        longest: no fewer bytes than any of them takes.

    Returns:
        The bytes, with some to spare at the end; and where each varint begins and the last ends, shape [values + 1].
    """
    is_longer = [values >= 1 << 7 * byte for byte in range(1, longest)]
    starts = _starts(is_longer, len(values))
    data = np.empty(int(starts[-1]) + longest, np.uint8)
    # The higher bytes first: what a value that has none leaves there, the lower ones of those after it write over.
    for byte in reversed(range(longest)):
        which = _choose(is_longer[byte - 1]) if byte else slice(None)
        septets = (values[which] >> 7 * byte).astype(np.uint8)
        if byte + 1 < longest:
            septets |= is_longer[byte][which] * _ANOTHER_FOLLOWS
        data[byte:][starts[:-1][which]] = septets
    return data, starts


def _starts(is_longer: list[NDArray[np.bool_]], count: int) -> NDArray[np.int64]:
    """Where varints begin and the last ends; each has one byte, and one more for each time it is longer."""
    sizes = np.ones(count, np.uint8)
    for longer in is_longer:
        sizes += longer.view(np.uint8)
    starts = np.zeros(count + 1, np.int64)
    np.cumsum(sizes, out=starts[1:])
    return starts


def _choose(wanted: NDArray[np.bool_]) -> NDArray[np.int64] | slice:
    """The places of what is wanted, if it is little, or else all places."""
    return np.flatnonzero(wanted) if np.count_nonzero(wanted) < _FEW * len(wanted) else slice(None)
