"""One shard, read from its first byte to its last: what it breaks, and what is counted in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlm_data.examples import decode_batch
from mlm_data.shards import FramedBatch, ShardError, ShardReader, WrittenShard
from mlm_data.storage import Storage
from mlm_data.validation.checks import Rule
from mlm_data.validation.corpus_checks import BucketText
from mlm_data.validation.instances import Counts, Instances, Traits
from mlm_data.validation.overlap import TextSample, sample_texts
from mlm_data.validation.places import NOWHERE, number_places
from mlm_data.validation.probe import PairSample, sample_pairs
from mlm_data.validation.record_checks import RecordCheck
from mlm_data.validation.schema import Schema, kind_of
from mlm_data.validation.tally import Tally

FEATURES = Rule("features", "all records have the same features, with the same types and numbers of values")
FITTING = Rule("shard lengths", "each record is in a shard of the shortest length that holds it")
REPEATS = Rule("repeated records", "no record of 64 tokens or more occurs twice in a shard, masks and all")

# A shorter one may be drawn twice: a text that occurs often, with the same of its few possible masks.
_TOKENS_OF_UNIQUE = 64


@dataclass(frozen=True, slots=True)
class Breach:
    """How many records break a rule, and the place of the first."""

    records: int = 0
    first: int = NOWHERE

    def __add__(self, other: Breach) -> Breach:
        return Breach(self.records + other.records, min(self.first, other.first))


@dataclass(frozen=True, slots=True, eq=False)
class ShardReport:
    """What is known of a shard after reading it.

    Attributes:
        found: its records, size and checksum; None where it could not be read to its end.
        damage: why not.
        records: that could be read.
        content: a number that two shards share exactly if they hold the same records, in whatever order.
        labels: of the records that break no structural rule, how many have label 0 and 1.
        breaches: by name of the check.
        texts: see `sample_texts`.
        pairs: see `sample_pairs`.
    """

    found: WrittenShard | None
    damage: str
    records: int
    content: int
    labels: tuple[int, int]
    breaches: Mapping[str, Breach]
    texts: tuple[TextSample, ...]
    pairs: tuple[PairSample, ...]

    @property
    def uncounted(self) -> int:
        """Records that break a structural rule."""
        return self.records - sum(self.labels)


@dataclass(frozen=True)
class Examiner:
    """What to look at in a shard; small when pickled.

    Attributes:
        storage: where shards lie.
        schema: of the dataset.
        vocabulary: of the dataset; None where none is known.
        checks: rules for every record.
        text_share: see `sample_texts`; 0: none.
        pairs_step: every so many records one is taken for the surface probe; 0: none.
    """

    storage: Storage
    schema: Schema
    vocabulary: Traits | None
    checks: tuple[RecordCheck, ...]
    text_share: float = 0.0
    pairs_step: int = 0

    def examine(
        self, path: str, number: int, length: int | None = None, text: BucketText | None = None
    ) -> tuple[ShardReport, Tally]:
        """Reads a shard, and counts its records that break no structural rule.

        Args:
            path: of the shard.
            number: of the shard among all that are examined.
            length: of its records, where there are several.
            text: the documents it was made from, if they are known.
        """
        reader, findings = ShardReader(self.storage, path), _Findings(self, length or self.schema.width, text)
        found, damage = None, ""
        try:
            for batch in reader.batches():
                findings.add(batch, number)
            found = reader.found
        except (ShardError, OSError) as error:
            damage = str(error)
        return findings.report(found, damage), findings.tally.padded(self.schema)

    def no_records(self) -> Tally:
        """The tally of no record."""
        return Tally.none(self.schema, len(self.vocabulary) if self.vocabulary else 0)


class _Findings:
    """What was found in a shard so far."""

    def __init__(self, examiner: Examiner, length: int, text: BucketText | None) -> None:
        self._examiner, self._text = examiner, text
        self._schema = examiner.schema.of_length(length)
        self._next_length = max((other for other in examiner.schema.slots_by_length if other < length), default=0)
        self.tally = Tally.none(self._schema, len(examiner.vocabulary) if examiner.vocabulary else 0)
        self._records, self._content = 0, 0
        self._breaches: dict[str, Breach] = {}
        self._long_records: list[tuple[NDArray[np.uint64], Counts]] = []  # hashes and places
        self._texts: list[TextSample] = []
        self._pairs: list[PairSample] = []

    def add(self, batch: FramedBatch, shard: int) -> None:
        """Looks at some records of a shard."""
        examiner = self._examiner
        decoded = decode_batch(batch.data, batch.starts, batch.ends)
        places = number_places(shard, self._records + np.arange(len(batch.starts)))
        self._records += len(batch.starts)
        self._note(FEATURES.name, places[list(decoded.failures)])
        for group in decoded.groups:
            if kind_of(group.columns) != self._schema.kind:
                self._note(FEATURES.name, places[group.rows])
                continue
            records = Instances(self._schema.columns(group.columns), examiner.vocabulary)
            hashes = _hash(records, batch.checksums[group.rows])
            self._content += int(hashes.sum())
            is_long = records.lengths >= _TOKENS_OF_UNIQUE
            self._long_records.append((hashes[is_long], places[group.rows][is_long]))
            self._add_records(records, places[group.rows])

    def _add_records(self, records: Instances, places: Counts) -> None:
        broken = np.zeros(len(records), np.bool_)
        for check in self._examiner.checks:
            found = check.find(records)
            self._note(check.name, places[found])
            if check.is_structural:
                broken |= found
        self._note(FITTING.name, places[~broken & (records.lengths <= self._next_length)])
        if broken.any():
            records, places = records.take(~broken), places[~broken]
        if self._text:
            self._text.note(records)
            for name, is_false in self._text.find_false(records).items() if records.has_labels else ():
                self._note(name, places[is_false])
        self.tally += Tally.of(records, self._schema, places)
        if self._examiner.text_share:
            self._texts.append(sample_texts(records, places, self._examiner.text_share))
        if self._examiner.pairs_step:
            self._pairs.append(sample_pairs(records, np.flatnonzero(places % self._examiner.pairs_step == 0)))

    def _note(self, check: str, places: Counts) -> None:
        breach = Breach(len(places), int(places.min(initial=NOWHERE)))
        self._breaches[check] = self._breaches.get(check, Breach()) + breach

    def report(self, found: WrittenShard | None, damage: str) -> ShardReport:
        """All of it, once there are no more records."""
        hashes, places = (np.concatenate(parts) for parts in zip(_NO_RECORDS, *self._long_records, strict=True))
        order = np.argsort(hashes, kind="stable")
        is_repeated = hashes[order[1:]] == hashes[order[:-1]]
        self._note(REPEATS.name, places[order[1:][is_repeated]])
        zeros, ones = self.tally.labels
        return ShardReport(
            found=found,
            damage=damage,
            records=self._records,
            content=self._content % 2**64,
            labels=(int(zeros), int(ones)),
            breaches=self._breaches,
            texts=tuple(self._texts),
            pairs=tuple(self._pairs),
        )


_NO_RECORDS = (np.zeros(0, np.uint64), np.zeros(0, np.int64))


def _hash(records: Instances, checksums: Counts) -> NDArray[np.uint64]:
    """A number by which to know a record again: its checksum, and a sum over its ids. uint64 [records]."""
    multipliers = (np.arange(records.width, dtype=np.uint32) * np.uint32(2 * 0x4F1BBCDC)) + np.uint32(1)
    sums = records.ids.astype(np.uint32, copy=False) @ multipliers
    return checksums.astype(np.uint64) << np.uint64(32) | sums
