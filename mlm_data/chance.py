"""Every random number comes from here, keyed by the seed and by what it is for.

Nothing else may decide an outcome: no clock, no process, no order of arrival. Asking twice with the same key gives the
same numbers; two keys give streams that have nothing to do with each other.
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

import numpy as np
import xxhash
from numpy.typing import NDArray

_Unsigned = TypeVar("_Unsigned", bound=np.unsignedinteger[Any])


def _digest(seed: int, purpose: tuple[str | int, ...]) -> bytes:
    # Lengths are part of the key, so that ("ab", "c") and ("a", "bc") differ.
    parts = [f"{type(part).__name__}:{len(str(part))}:{part}" for part in (seed, *purpose)]
    return hashlib.sha256("|".join(parts).encode()).digest()


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A random generator for one purpose.

    Args:
        seed: the run's `random_seed`.
        *purpose: what the numbers are for, for example `("mask", bucket, number_of_pass)`.

    >>> int(generator(1, "mask", 0).integers(100)) == int(generator(1, "mask", 0).integers(100))
    True
    """
    return np.random.Generator(np.random.PCG64DXSM(int.from_bytes(_digest(seed, purpose))))


def hash64(seed: int, purpose: str, key: bytes) -> int:
    """A uniform 64-bit number for a key, the same wherever and whenever it is asked for.

    Args:
        seed: the run's `random_seed`.
        purpose: what the number is for.
        key: what it is about, for example a document key.

    >>> hash64(1, "bucket", b"a") == hash64(1, "bucket", b"a") != hash64(2, "bucket", b"a")
    True
    """
    return xxhash.xxh3_64_intdigest(_digest(seed, (purpose,)) + key)


def random_bits(count: int, kind: type[_Unsigned], rng: np.random.Generator) -> NDArray[_Unsigned]:
    """Numbers uniform over the whole range of an unsigned type, shape [count].

    They are cut out of 64-bit ones, which is two to four times faster than to ask the generator for small ones.
    """
    per_draw = 8 // np.dtype(kind).itemsize
    draws = rng.integers(0, np.iinfo(np.uint64).max, -(-count // per_draw), dtype=np.uint64, endpoint=True)
    little_endian = draws.astype("<u8", copy=False).view(np.dtype(kind).newbyteorder("<"))
    return little_endian[:count].astype(kind, copy=False)
