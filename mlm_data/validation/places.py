"""Where a record lies, as a number: in the order of shards and records, small enough for an array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlm_data.validation.instances import Counts

NOWHERE = int(np.iinfo(np.int64).max)

_RECORD_BITS = 40


def number_places(shard: int, records: Counts) -> Counts:
    """The places of records in a shard, both counted from 0."""
    return (shard << _RECORD_BITS) + records


def describe_place(place: int, names: Sequence[str]) -> str:
    """SHARD:RECORD, given the names of the shards."""
    return f"{names[place >> _RECORD_BITS]}:{place & (1 << _RECORD_BITS) - 1}"
