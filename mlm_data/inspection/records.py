"""Records taken out of shards: the first ones, or a certain one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mlm_data.examples import RecordError
from mlm_data.inspection.description import Description, describe
from mlm_data.inspection.instance import Instance, read_instance, read_instances
from mlm_data.inspection.sources import RequestError, Shard
from mlm_data.shards import read_records
from mlm_data.storage import Storage


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """An instance and where it lies: its shard and its number in it, counted from 0."""

    shard: Shard
    index: int
    instance: Instance

    def describe(self) -> Description:
        """See `describe`.

        Raises:
            RecordError: the message names file and record.
        """
        try:
            return describe(self.instance, self.shard.vocabulary, label_meanings=self.shard.label_meanings)
        except RecordError as error:
            raise RecordError(f"{self.shard.path}, record {self.index}: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """Where the record lies, its description and all its values, as JSON values; errors as in `describe`."""
        return {
            "shard": self.shard.path,
            "index": self.index,
            **self.describe().to_json(),
            "feature_names": self.instance.feature_names,
            "features": self.instance.feature_values(),
        }


def read_first(storage: Storage, shards: Sequence[Shard], limit: int) -> Iterator[Record]:
    """The first records of some shards; errors are those of `read_instances`."""
    by_path = {shard.path: shard for shard in shards}
    for path, index, instance in islice(read_instances(storage, by_path), limit):
        yield Record(by_path[path], index, instance)


def read_one(storage: Storage, shards: Sequence[Shard], number: int, index: int) -> Record:
    """One record.

    Args:
        storage: where the shards lie.
        shards: to choose from.
        number: of the shard: that in its name, or where no name has one, its place among `shards`, from 0.
        index: of the record in the shard, from 0.

    Raises:
        RequestError: there is no such shard or record.
        RecordError: as `read_instance`.
        ShardError: the shard is damaged before or at the record.
    """
    shard = _numbered(shards, number)
    count = 0
    for record in read_records(storage, shard.path):
        if count == index:
            try:
                return Record(shard, index, read_instance(record))
            except RecordError as error:
                raise RecordError(f"{shard.path}, record {index}: {error}") from error
        count += 1
    raise RequestError(f"got record {index} of {shard.path}, which has {_span(range(count), 'record')}")


def _numbered(shards: Sequence[Shard], number: int) -> Shard:
    numbers = [shard.number for shard in shards]
    if not any(found is not None for found in numbers):
        numbers = list(range(len(shards)))
    if number in numbers:
        return shards[numbers.index(number)]
    available = sorted({found for found in numbers if found is not None})
    raise RequestError(f"got shard {number}; expected {_span(available, 'shard')}")


def _span(numbers: Sequence[int], noun: str) -> str:
    """For a person: "shards 0 to 3"."""
    if not numbers:
        return f"no {noun}"
    if len(numbers) == 1:
        return f"{noun} {numbers[0]} only"
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{noun}s {numbers[0]} to {numbers[-1]}"
    return f"{noun}s {', '.join(map(str, numbers))}"
