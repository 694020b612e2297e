"""Values gathered into bins, so that a picture shows no more than can be seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_BINS = 128


def bin_edges(values: int, observations: int | None = None) -> NDArray[np.int64]:
    """Edges of bins over the values 0 to `values` - 1, int64 [bins + 1]; all but the last are of one width.

    Args:
        values: how many there are.
        observations: of fewer, fewer bins are made (Rice's rule); None: as many as may be.
    """
    most = MOST_BINS if observations is None else int(np.clip(2 * observations ** (1 / 3), 8, MOST_BINS))
    width = -(-values // most)
    return np.minimum(np.arange(-(-values // width) + 1) * width, values)


def sum_by_bin(values: NDArray[np.int64] | NDArray[np.float64], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums over the bins, float64 [bins]."""
    return np.asarray(np.add.reduceat(values, edges[:-1]), np.float64)
