"""What every shuffle gives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import apache_beam as beam

from mlm_data.records import Rejection, TokenizedDocument
from mlm_data.transforms.planning import Bucket, ShardPlan


class Shuffled(NamedTuple):
    """The corpus in buckets.

    Attributes:
        buckets: every bucket with its documents in any order, in parts to be gone through once; buckets without
            documents too.
        rejections: what was rejected on the way.
        plan: how many buckets there are, one element.
    """

    buckets: beam.PCollection[tuple[Bucket, Iterable[Iterable[TokenizedDocument]]]]
    rejections: beam.PCollection[Rejection]
    plan: beam.PCollection[ShardPlan]
