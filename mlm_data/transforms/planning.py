"""How large the corpus is, and into how many buckets it goes: decided by content alone."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mlm_data.config import ShardsSettings
from mlm_data.records import Rejection, TokenizedDocument
from mlm_data.shards import TRAIN, assign_split, choose_buckets
from mlm_data.transforms.failures import RunFailedError
from mlm_data.transforms.progress import Stage, report

_EXAMPLES_SHOWN = 3


class Bucket(NamedTuple):
    """Where documents meet: bucket `number` of a split."""

    split: str
    number: int


@dataclass(frozen=True)
class CorpusSize:
    """What has been prepared: documents and tokens by split, and what could not be read.

    Attributes:
        documents: by split.
        tokens: by split.
        rejected: documents rejected so far, for whatever reason.
        failed: of these, how many count as failures.
        failures: the first of them by source, for the message.
    """

    documents: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    rejected: int = 0
    failed: int = 0
    failures: tuple[tuple[str, int, str], ...] = ()


class CorpusMeter:
    """Measures what passes by."""

    def __init__(self, settings: ShardsSettings) -> None:
        self._settings = settings
        self._documents: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._rejected = 0
        self._failures: list[tuple[str, int, str]] = []

    def add(self, item: TokenizedDocument | Rejection) -> None:
        """Counts a document or a rejection."""
        if isinstance(item, TokenizedDocument):
            split = assign_split(self._settings.random_seed, item.key, self._settings.validation_fraction)
            self._documents[split] += 1
            self._tokens[split] += len(item.ids)
            return
        self._rejected += 1
        if item.reason.is_failure:
            self._failures.append((item.source, item.index, f"{item.reason}: {item.detail}"))

    @property
    def size(self) -> CorpusSize:
        """What was counted so far."""
        return CorpusSize(
            documents=dict(sorted(self._documents.items())),
            tokens=dict(sorted(self._tokens.items())),
            rejected=self._rejected,
            failed=len(self._failures),
            failures=tuple(sorted(self._failures)[:_EXAMPLES_SHOWN]),
        )


def merge_sizes(sizes: Iterable[CorpusSize]) -> CorpusSize:
    """The size of parts together; the order of the parts does not matter."""
    sizes = list(sizes)
    return CorpusSize(
        documents=_add(size.documents for size in sizes),
        tokens=_add(size.tokens for size in sizes),
        rejected=sum(size.rejected for size in sizes),
        failed=sum(size.failed for size in sizes),
        failures=tuple(sorted(itertools.chain(*(size.failures for size in sizes)))[:_EXAMPLES_SHOWN]),
    )


@dataclass(frozen=True)
class ShardPlan:
    """How many buckets each split has."""

    buckets: Mapping[str, int]

    def list_buckets(self) -> list[Bucket]:
        """All buckets of all splits."""
        return [Bucket(split, number) for split, buckets in self.buckets.items() for number in range(buckets)]

    def passes(self, split: str, dupe_factor: int) -> int:
        """How many shards each bucket of a split gives; held-out text is written once."""
        return dupe_factor if split == TRAIN else 1


def plan_shards(size: CorpusSize, settings: ShardsSettings, lengths: int = 1) -> ShardPlan:
    """Decides the number of buckets by content alone.

    Args:
        size: of the corpus.
        settings: of the shards.
        lengths: how many shards each pass over a bucket gives, one for each length; decides nothing but the progress.

    Raises:
        RunFailedError: too much of the input could not be read, or none of it is left.
    """
    kept = sum(size.documents.values())
    read = kept + size.rejected
    if size.failed > settings.max_error_rate * read:
        examples = "".join(f"\n  {source}, document {index}: {what}" for source, index, what in size.failures)
        raise RunFailedError(
            f"{size.failed} of {read} documents could not be read ({size.failed / read:.2%}), more than "
            f"--max_error_rate {settings.max_error_rate} allows:{examples}\n"
            f"Mend or leave out these inputs, or raise --max_error_rate to go on without them."
        )
    if not kept:
        raise RunFailedError(f"no text was found in the input ({read} documents read, none of use); see --plan.")
    buckets = {
        split: settings.num_shards or choose_buckets(size.documents[split], size.tokens[split])
        for split in size.documents
    }
    plan = ShardPlan(buckets)
    written = sum(count * plan.passes(split, settings.dupe_factor) for split, count in buckets.items())
    report(Stage.PLANNED, written * lengths)
    return plan


def _add(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for split, count in itertools.chain.from_iterable(part.items() for part in counts):
        total[split] = total.get(split, 0) + count
    return dict(sorted(total.items()))
