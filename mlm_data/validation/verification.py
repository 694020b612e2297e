"""All checks of a dataset: its shards are examined in as many processes as there are cores, then judged together."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlm_data.examples import decode_example
from mlm_data.inspection.sources import RequestError, Shard, find_shards
from mlm_data.shards import ShardError, read_records
from mlm_data.storage import Storage
from mlm_data.validation.checks import Verification
from mlm_data.validation.claims import BucketPlace, Claims, read_claims
from mlm_data.validation.corpus_checks import BucketText, Coverage
from mlm_data.validation.examination import Examiner, ShardReport
from mlm_data.validation.instances import Traits
from mlm_data.validation.judgement import Evidence, judge
from mlm_data.validation.probe import SAMPLE_AT_MOST
from mlm_data.validation.record_checks import RECORD_CHECKS
from mlm_data.validation.schema import Schema
from mlm_data.validation.tally import Tally
from mlm_data.vocabulary import Vocabulary

if TYPE_CHECKING:
    from mlm_data.validation.tokens import Tokens

_BYTES_WORTH_A_PROCESS = 20_000_000
_SAMPLED_TOKENS = 1_000_000
_BYTES_PER_TOKEN, _BYTES_PER_COMPRESSED_TOKEN = 6, 2  # of records; nearly enough to choose how much to sample


def verify(
    paths: Sequence[str],
    storage: Storage,
    *,
    vocab_file: str | None = None,
    tokens_dir: str | None = None,
    processes: int | None = None,
) -> Verification:
    """Checks every invariant of a dataset, ours or anybody's, as far as what lies beside the shards allows.

        from mlm_data.storage import LocalStorage
        from mlm_data.validation import Verdict, verify

        verification = verify(["out/first"], LocalStorage())
        print(verification.summary())  # 12,600 records in 10 shards, 43 checks: 38 ok, 5 not made
        for check in verification.having(Verdict.VIOLATED):
            print(f"{check.name}: {check.observed} where {check.expected} was expected; {check.detail}")

    The result does not depend on the number of processes. Each holds some megabytes of records and what was counted
    in them, with `tokens_dir` also the documents of one bucket.

    Args:
        paths: shards, globs, or a dataset directory, all of one directory; records may have several lengths if the
            manifest or the names of the shards say so (`--sequence_buckets`).
        storage: where they lie.
        vocab_file: the vocabulary of the records; without one, `vocab.txt` beside the shards, if there is one.
        tokens_dir: the tokens the dataset was made from, as make-pretraining-data kept them. With them it is checked
            whether labels are true and all documents there.
        processes: at most so many; None: one for each core.

    Raises:
        RequestError: a path names nothing, or what was given does not belong together.
        DatasetError: what lies beside the shards is damaged.
        RecordError: the first record is no training instance.
        ShardError: no record can be read.
        OSError: what lies beside the shards cannot be read.
    """
    shards = find_shards(storage, paths, vocab_file)
    vocabulary = shards[0].vocabulary
    manifest = next((shard.manifest for shard in shards if shard.manifest), None)
    names = tuple(shard.name for shard in shards)
    claims = read_claims(storage, _common_directory(shards), names, manifest)
    tokens = _open_tokens(storage, tokens_dir, claims, vocabulary) if tokens_dir else None
    schema = _read_schema_of_all(storage, shards, claims)
    sizes = [sum(file.size for file in storage.match(shard.path)) for shard in shards]
    examiner = _make_examiner(storage, shards, claims, schema, sizes)
    groups = _group(shards, claims, by_bucket=tokens is not None)
    most = min(processes or os.cpu_count() or 1, len(groups), 1 + sum(sizes) // _BYTES_WORTH_A_PROCESS)
    found = _add_up(_map(functools.partial(_examine_group, examiner, tokens), groups, most))
    evidence = Evidence(
        storage=storage,
        names=names,
        claims=claims,
        schema=schema,
        vocabulary=vocabulary,
        reports=tuple(found.reports[number] for number in range(len(shards))),
        tallies=found.tallies,
        coverage=found.coverage if tokens else None,
    )
    return Verification(len(shards), evidence.records, tuple(judge(evidence)))


@dataclass(frozen=True, slots=True)
class _Member:
    """A shard to examine: its number, its path, and the length of its records where there are several."""

    number: int
    path: str
    length: int | None


@dataclass(frozen=True, slots=True)
class _Group:
    """Shards to examine one after another, and the bucket all of them were made from."""

    shards: tuple[_Member, ...]
    bucket: BucketPlace | None

    @property
    def split(self) -> str:
        """Of the shards; empty where nobody says."""
        return self.bucket.split if self.bucket else ""


@dataclass(frozen=True, slots=True)
class _Examined:
    """What came of a group, or of all: reports by number of the shard, tallies by split, what documents were there."""

    reports: Mapping[int, ShardReport]
    tallies: Mapping[str, Tally]
    coverage: Coverage


def _examine_group(examiner: Examiner, tokens: Tokens | None, group: _Group) -> _Examined:
    text = None
    if tokens and group.bucket:
        documents = tokens.documents(group.bucket)
        text = BucketText(documents, examiner.schema.width, is_swapped=tokens.is_swapped)
    reports, tally = {}, examiner.no_records()
    for shard in group.shards:
        reports[shard.number], counted = examiner.examine(shard.path, shard.number, shard.length, text)
        tally += counted
    return _Examined(reports, {group.split: tally}, text.coverage() if text else Coverage())


def _add_up(parts: Iterable[_Examined]) -> _Examined:
    """All of it; tallies are large, so that no more of them are kept than there are splits."""
    reports: dict[int, ShardReport] = {}
    tallies: dict[str, Tally] = {}
    coverage = Coverage()
    for part in parts:
        reports |= part.reports
        for split, tally in part.tallies.items():
            tallies[split] = tallies[split] + tally if split in tallies else tally
        coverage += part.coverage
    return _Examined(reports, tallies, coverage)


def _map(examine: Callable[[_Group], _Examined], groups: Sequence[_Group], processes: int) -> Iterator[_Examined]:
    """The results in the order of the groups, each as soon as it and all before it are there."""
    if processes <= 1:
        yield from map(examine, groups)
        return
    # Not by forking this process, which is not safe where threads are about, but one that has imported all this.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(processes, context) as pool:
        yield from pool.map(examine, groups)


def _common_directory(shards: Sequence[Shard]) -> str:
    directories = sorted({shard.directory for shard in shards})
    if len(directories) > 1:
        named = ", ".join(directory or "." for directory in directories[:3])
        raise RequestError(f"got shards of {len(directories)} directories ({named}); expected those of one dataset")
    return directories[0]


def _read_schema_of_all(storage: Storage, shards: Sequence[Shard], claims: Claims) -> Schema:
    """The features of all records, judged by the first ones that can be read."""
    schema = _read_schema(storage, shards)
    slots_by_length = claims.slots_by_length or _read_slots(storage, shards, claims.lengths)
    return schema.with_lengths(slots_by_length) if slots_by_length else schema


def _read_slots(storage: Storage, shards: Sequence[Shard], lengths: Mapping[str, int]) -> dict[int, int]:
    """The slots of each length, as the first record of its shards has them."""
    slots = {}
    for length in sorted({*lengths.values()}):
        with contextlib.suppress(ShardError):  # there may be no record so long
            slots[length] = _read_schema(storage, [one for one in shards if lengths.get(one.name) == length]).slots
    return slots


def _read_schema(storage: Storage, shards: Sequence[Shard]) -> Schema:
    """The features of the first record that can be read."""
    damage = ""
    for shard in shards:
        try:
            for record in read_records(storage, shard.path):
                return Schema.of(decode_example(record))
        except (ShardError, OSError) as error:
            damage = damage or f"; the first problem: {error}"
    raise ShardError(f"got {len(shards)} files without a record that can be read{damage}")


def _open_tokens(storage: Storage, directory: str, claims: Claims, vocabulary: Vocabulary | None) -> Tokens:
    from mlm_data.validation.tokens import open_tokens  # noqa: PLC0415 (pyarrow takes its time)

    tokens = open_tokens(storage, directory, claims)
    if vocabulary is None:
        raise RequestError("--tokens_dir is of use only with the vocabulary of the records; name it with --vocab_file")
    return tokens


def _make_examiner(
    storage: Storage,
    shards: Sequence[Shard],
    claims: Claims,
    schema: Schema,
    sizes: Sequence[int],
) -> Examiner:
    vocabulary = shards[0].vocabulary
    checks = tuple(
        check
        for check in RECORD_CHECKS
        if not check.why_not(schema, claims.masking, has_vocabulary=vocabulary is not None)
    )
    is_compressed = any(shard.name.endswith(".gz") for shard in shards)
    tokens = [1 + size // (_BYTES_PER_COMPRESSED_TOKEN if is_compressed else _BYTES_PER_TOKEN) for size in sizes]
    records = [size // claims.lengths.get(shard.name, schema.width) for size, shard in zip(tokens, shards, strict=True)]
    can_sample = vocabulary is not None and bool(schema.slots)
    return Examiner(
        storage,
        schema,
        Traits.of(vocabulary) if vocabulary else None,
        checks,
        text_share=min(1.0, _SAMPLED_TOKENS / sum(tokens)) if can_sample else 0.0,
        pairs_step=1 + sum(records) // SAMPLE_AT_MOST if schema.has_labels else 0,
    )


def _group(shards: Sequence[Shard], claims: Claims, *, by_bucket: bool) -> list[_Group]:
    """Each shard by itself, or with the others of its bucket, so that its documents are read once."""
    groups: dict[tuple[BucketPlace | None, int], list[_Member]] = {}
    for number, shard in enumerate(shards):
        place = claims.places.get(shard.name)
        bucket = place.bucket if place else None
        member = _Member(number, shard.path, claims.lengths.get(shard.name))
        groups.setdefault((bucket, 0 if by_bucket else number), []).append(member)
    return [_Group(tuple(members), bucket) for (bucket, _), members in groups.items()]
