"""The settings of a run: one frozen section per room, checked when made.

Field names are the flag names. A section belongs to the room of its name and is all that room knows of the command
line; `Settings` gathers the sections and is known to doors and hallway only.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_type_hints

from mlm_data.objectives import NO_PARITY, OBJECTIVES, PARITIES

Section = TypeVar("Section")

NO_MASKING = "none"
_DEFAULT_SEQ_LENGTH = 128
INPUT_FORMATS = ("auto", "text", "paragraphs", "lines", "sentences")


class SettingsError(ValueError):
    """Settings that cannot be meant; the message says what was got, what was expected and what to do."""


def _setting(
    default: Any,
    description: str,
    *,
    choices: tuple[str, ...] = (),
    metavar: str | None = None,
    words: Mapping[str, int] = MappingProxyType({}),
) -> Any:
    """A field of a section: its default, what `--help` says of it, the values it may take, and words for numbers."""
    metadata = {"help": description, "choices": choices, "metavar": metavar, "words": words}
    return dataclasses.field(default=default, metadata=metadata)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise SettingsError(message)


def _check_choices(section: Any) -> None:
    for field in dataclasses.fields(section):
        value, choices = getattr(section, field.name), field.metadata["choices"]
        _require(
            not choices or value in choices,
            f"--{field.name} is {value!r}; expected one of {', '.join(choices)}",
        )


@dataclass(frozen=True)
class CorporaSettings:
    """What is read (room 1)."""

    input: tuple[str, ...] = _setting(
        (),
        "Files to read, as a glob; may be given several times. A format before a colon holds for that input alone, as "
        "in 'paragraphs:law/*.txt'. Files ending in .gz, .bz2, .xz or .zst are decompressed.",
        metavar="[FORMAT:]GLOB",
    )
    input_format: str = _setting(
        "auto",
        "Shape of the inputs that name none. text: a file is one document, blank lines (or else line ends) separate "
        "its paragraphs, hard-wrapped lines are joined. paragraphs: one paragraph a line, a blank line between "
        "documents. lines: one document a line. sentences: one sentence a line, a blank line between documents. auto: "
        "judged by file name and first bytes.",
        choices=INPUT_FORMATS,
    )
    encoding: str = _setting(
        "utf-8",
        "Encoding of the text. With utf-8, a byte order mark is dropped and a document that is plainly Windows-1252 "
        "is read as such, and counted.",
    )
    limit: int = _setting(
        0, "Stop after this many documents, files taken in the order of their names; 0: read everything.", metavar="N"
    )
    max_document_bytes: int = _setting(
        64_000_000, "A document larger than this (UTF-8 bytes) is rejected as too_long.", metavar="BYTES"
    )

    def __post_init__(self) -> None:
        _check_choices(self)
        try:
            "".encode(self.encoding)
        except LookupError:
            message = f"--encoding is {self.encoding!r}, which Python does not know; expected a name such as utf-8"
            raise SettingsError(message) from None
        _require(self.limit >= 0, f"--limit is {self.limit}; expected 0 (no limit) or more")
        _require(self.max_document_bytes > 0, f"--max_document_bytes is {self.max_document_bytes}; expected 1 or more")


@dataclass(frozen=True)
class SentencesSettings:
    """How text is cut into sentences (room 3)."""

    sentence_splitter: str = _setting(
        "sentencex",
        "sentencex: rules per language, quotes kept together up to 64 words. icu: Unicode's rules, which split inside "
        "quotes too. newline: a line is a sentence.",
        choices=("sentencex", "icu", "newline"),
    )
    language: str = _setting(
        "en", "Language of the text as an ISO 639 code, for the sentence splitter.", metavar="CODE"
    )

    def __post_init__(self) -> None:
        _check_choices(self)
        _require(
            self.language.isascii() and self.language.isalpha(),
            f"--language is {self.language!r}; expected an ISO 639 code such as en or de",
        )


@dataclass(frozen=True)
class WordpieceSettings:
    """How sentences become ids (room 4)."""

    vocab_file: str = _setting("", "The WordPiece vocabulary, one piece a line.", metavar="FILE")
    do_lower_case: bool = _setting(
        True, "Lower-case and strip accents before tokenizing; off for a cased vocabulary (--no_do_lower_case)."
    )


@dataclass(frozen=True)
class PairingSettings:
    """What segments instances are made of (room 5)."""

    objective: str = _setting(
        "nsp",
        "What is learnt besides hidden tokens. nsp: next sentence prediction, exactly half of each shard's pairs "
        "random, labels that lengths cannot betray. sop: sentence order prediction, exactly half of each shard's pairs "
        "swapped. mlm: nothing; instances of one segment, without labels.",
        choices=tuple(OBJECTIVES),
    )
    max_seq_length: int = _setting(
        0,
        "Most tokens of an instance, [CLS] and each [SEP] counted; shorter ones are padded. auto: 128, or the longest "
        "of --sequence_buckets.",
        metavar="N",
        words={"auto": 0},
    )
    sequence_buckets: tuple[int, ...] = _setting(
        (),
        "Lengths to pad to, as in 128 256 384 512: every instance goes to shards of the shortest that holds it. "
        "Without, all are padded to --max_seq_length.",
        metavar="N",
    )
    short_seq_prob: float = _setting(
        0.1, "nsp and sop: share of instances whose target length is drawn between 2 and the maximum.", metavar="P"
    )
    mlm_packing: str = _setting(
        "full_sentences",
        "mlm: how sentences fill instances, whole unless they are longer than one. full_sentences: one document after "
        "the other, with [SEP] between them. doc_sentences: never sentences of two documents in one instance.",
        choices=("full_sentences", "doc_sentences"),
    )
    parity: str = _setting(
        NO_PARITY,
        "bert: nsp with the statistics of google-research/bert's script, biases included, to repeat published "
        "experiments: more than half of the pairs random, lengths that betray labels, random tokens from the whole "
        "vocabulary.",
        choices=(NO_PARITY, *PARITIES),
    )

    def __post_init__(self) -> None:
        _check_choices(self)
        # Sorted, and a number in place of `auto`, here and nowhere else.
        object.__setattr__(self, "sequence_buckets", tuple(sorted(self.sequence_buckets)))
        longest = self.sequence_buckets[-1] if self.sequence_buckets else _DEFAULT_SEQ_LENGTH
        object.__setattr__(self, "max_seq_length", self.max_seq_length or longest)
        self._check_buckets()
        _require(self.max_seq_length >= 8, f"--max_seq_length is {self.max_seq_length}; expected 8 or more")
        _require(
            0.0 <= self.short_seq_prob <= 1.0, f"--short_seq_prob is {self.short_seq_prob}; expected between 0 and 1"
        )

    def _check_buckets(self) -> None:
        buckets, shown = self.sequence_buckets, " ".join(map(str, self.sequence_buckets))
        _require(
            not buckets or (buckets[0] >= 8 and len(set(buckets)) == len(buckets)),
            f"--sequence_buckets is {shown}; expected different lengths, 8 or more",
        )
        _require(
            not buckets or buckets[-1] == self.max_seq_length,
            f"--max_seq_length is {self.max_seq_length}, but the longest of --sequence_buckets {shown} is "
            f"{max(buckets, default=0)}; leave out the first",
        )

    @property
    def room(self) -> int:
        """Tokens of an instance that may be text: all but [CLS] and the [SEP] of each segment."""
        return self.max_seq_length - OBJECTIVES[self.objective].special_tokens


@dataclass(frozen=True)
class MaskingSettings:
    """Which tokens are hidden (room 6)."""

    masking: str = _setting(
        "token",
        "token: every token alone, as BERT was first trained. whole_word: all pieces of a word or none. ngram: one to "
        "--max_ngram_size words in a row, n with chance proportional to 1/n, as in ALBERT. span: one to ten words in a "
        "row, of a geometric law, all of it hidden in the same way, as in SpanBERT. none: no token; records say where "
        "words begin, for a trainer that masks anew each time.",
        choices=("token", "whole_word", "ngram", "span", NO_MASKING),
    )
    masked_lm_prob: float = _setting(0.15, "Share of an instance's tokens to predict.", metavar="P")
    max_predictions_per_seq: int = _setting(
        0,
        "Most tokens to predict in one instance; auto: masked_lm_prob of --max_seq_length, rounded up (with --masking "
        "none, 0).",
        metavar="N",
        words={"auto": 0},
    )
    mask_token_prob: float = _setting(0.8, "Share of the predicted tokens that become [MASK].", metavar="P")
    random_token_prob: float = _setting(
        0.1,
        "Share of the predicted tokens that become an ordinary token drawn uniformly; what is left stays as it is.",
        metavar="P",
    )
    max_ngram_size: int = _setting(3, "Most words of an n-gram, with --masking ngram.", metavar="N")

    def __post_init__(self) -> None:
        _check_choices(self)
        _require(
            0.0 < self.masked_lm_prob <= 0.5, f"--masked_lm_prob is {self.masked_lm_prob}; expected above 0, up to 0.5"
        )
        _require(
            self.max_predictions_per_seq >= 0,
            f"--max_predictions_per_seq is {self.max_predictions_per_seq}; expected auto or 1 and more",
        )
        for name in ("mask_token_prob", "random_token_prob"):
            share = getattr(self, name)
            _require(0.0 <= share <= 1.0, f"--{name} is {share}; expected between 0 and 1")
        _require(
            self.kept_token_prob >= 0.0,
            f"--mask_token_prob {self.mask_token_prob} and --random_token_prob {self.random_token_prob} are more than "
            f"1 together; lower one of them",
        )
        _require(
            1 <= self.max_ngram_size <= 100, f"--max_ngram_size is {self.max_ngram_size}; expected between 1 and 100"
        )
        if self.masking == NO_MASKING:
            self._require_no_advice()

    def _require_no_advice(self) -> None:
        """Refuses to be told how to mask where nothing is masked, rather than keep what holds for no record."""
        others = (field for field in dataclasses.fields(self) if field.name != "masking")
        given = [f"--{field.name}" for field in others if getattr(self, field.name) != field.default]
        _require(
            not given,
            f"--masking none leaves masking to the trainer, but {' and '.join(given)} would tell how to mask; "
            f"leave out one or the other",
        )

    @property
    def kept_token_prob(self) -> float:
        """Share of the predicted tokens that stay as they are."""
        return round(1.0 - self.mask_token_prob - self.random_token_prob, 9)

    def resolved(self, max_seq_length: int) -> MaskingSettings:
        """These settings with a number in place of an `auto` that depends on the length of the instances.

        The number is 0 exactly if nothing is masked.
        """
        if self.max_predictions_per_seq or self.masking == NO_MASKING:
            return self
        return dataclasses.replace(self, max_predictions_per_seq=self._most_wanted(max_seq_length))

    def shortened(self, length: int) -> MaskingSettings:
        """These settings, resolved, with no more slots than instances of up to `length` tokens can use."""
        slots = min(self.max_predictions_per_seq, self._most_wanted(length))
        return dataclasses.replace(self, max_predictions_per_seq=slots)

    def _most_wanted(self, length: int) -> int:
        """Tokens to predict in an instance of so many, rounded up."""
        # Rounded first, since 0.07 * 100 is a little more than 7.
        return math.ceil(round(self.masked_lm_prob * length, 9))


@dataclass(frozen=True)
class ShardsSettings:
    """What is written, and how often (rooms 7 and 8)."""

    output_dir: str = _setting("", "Directory the dataset is written to.", metavar="DIR")
    dupe_factor: int = _setting(
        10, "Passes over the corpus, each paired and masked anew and written to shards of its own.", metavar="N"
    )
    random_seed: int = _setting(12345, "Decides every random choice: same input, same seed, same bytes.", metavar="N")
    num_shards: int = _setting(
        0,
        "Shards per pass; auto: by the size of the corpus and the number of its documents.",
        metavar="N",
        words={"auto": 0},
    )
    validation_fraction: float = _setting(
        0.0, "Share of the documents kept for validation shards (written in one pass).", metavar="P"
    )
    compression: str = _setting("none", "Compression of the shards.", choices=("none", "gzip"))
    feature_names: str = _setting(
        "v2",
        "v2: input_word_ids, input_type_ids (TF Model Garden); v1: input_ids, segment_ids (google-research/bert).",
        choices=("v2", "v1"),
    )
    max_error_rate: float = _setting(
        0.01, "The run stops when more than this share of the documents could not be read.", metavar="P"
    )

    def __post_init__(self) -> None:
        _check_choices(self)
        _require(self.dupe_factor > 0, f"--dupe_factor is {self.dupe_factor}; expected 1 or more")
        _require(self.num_shards >= 0, f"--num_shards is {self.num_shards}; expected auto or 1 and more")
        _require(
            0.0 <= self.validation_fraction < 1.0,
            f"--validation_fraction is {self.validation_fraction}; expected at least 0 and below 1",
        )
        _require(
            0.0 <= self.max_error_rate <= 1.0, f"--max_error_rate is {self.max_error_rate}; expected between 0 and 1"
        )


@dataclass(frozen=True)
class ShuffleSettings:
    """How documents find their bucket (the hallway); decides no byte of the output."""

    shuffle: str = _setting(
        "auto",
        "files: tokens go through files, so that memory stays flat and a run that was stopped goes on where it was. "
        "engine: the runner's own GroupByKey. auto: files on this machine, engine elsewhere.",
        choices=("auto", "files", "engine"),
    )
    tokens_dir: str = _setting(
        "",
        "Keep the tokens in this directory (with files). A later run on the same text, with the same tokenization and "
        "seed, takes them from there: another length or masking costs no second tokenization.",
        metavar="DIR",
    )

    def __post_init__(self) -> None:
        _check_choices(self)
        _require(
            self.shuffle != "engine" or not self.tokens_dir,
            "--tokens_dir needs tokens in files, but --shuffle is engine; leave out one of the two",
        )


@dataclass(frozen=True)
class VocabularyTrainingSettings:
    """How a vocabulary is made (train-vocab)."""

    output: str = _setting("", "File the vocabulary is written to, one piece a line.", metavar="FILE")
    vocab_size: int = _setting(30522, "Entries, BERT's 104 reserved ones counted.", metavar="N")
    limit_alphabet: int = _setting(
        1000, "Most characters to keep, the most frequent ones; words with others become [UNK].", metavar="N"
    )
    do_lower_case: bool = _setting(
        True, "Lower-case and strip accents; off for a cased vocabulary (--no_do_lower_case)."
    )

    def __post_init__(self) -> None:
        _require(bool(self.output), "--output is missing; it says where the vocabulary is written")
        _require(self.vocab_size > 104, f"--vocab_size is {self.vocab_size}; expected more than the 104 reserved ones")
        _require(self.limit_alphabet > 0, f"--limit_alphabet is {self.limit_alphabet}; expected 1 or more")


# What the programs of `PARITIES` leave no choice of; they do as the defaults say.
_FIXED_BY_PARITY = ("objective", "masking", "mask_token_prob", "random_token_prob")


@dataclass(frozen=True)
class Settings:
    """All settings of one run."""

    corpora: CorporaSettings = CorporaSettings()
    sentences: SentencesSettings = SentencesSettings()
    wordpiece: WordpieceSettings = WordpieceSettings()
    pairing: PairingSettings = PairingSettings()
    masking: MaskingSettings = MaskingSettings()
    shards: ShardsSettings = ShardsSettings()
    shuffle: ShuffleSettings = ShuffleSettings()

    def __post_init__(self) -> None:
        # Here and nowhere else, so that everybody who has settings has the number.
        object.__setattr__(self, "masking", self.masking.resolved(self.pairing.max_seq_length))
        slots, room = self.masking.max_predictions_per_seq, self.pairing.room
        _require(
            slots <= room,
            f"--max_predictions_per_seq is {slots} but --max_seq_length {self.pairing.max_seq_length} leaves {room} "
            f"tokens to predict; lower the first or raise the second",
        )
        self._check_parity()

    def _check_parity(self) -> None:
        if self.pairing.parity == NO_PARITY:
            return
        flags, defaults = self.to_flags(), Settings().to_flags()
        for name in _FIXED_BY_PARITY:
            _require(
                flags[name] == defaults[name],
                f"--{name} is {flags[name]} with --parity {self.pairing.parity}; expected {defaults[name]}, as in the "
                f"program to be at par with: leave out one of the two",
            )

    @property
    def masking_by_length(self) -> dict[int, MaskingSettings]:
        """The lengths that records are padded to, ascending, each with the masking that suits it."""
        buckets = self.pairing.sequence_buckets
        if not buckets:
            return {self.pairing.max_seq_length: self.masking}
        return {length: self.masking.shortened(length) for length in buckets}

    @classmethod
    def from_flags(cls, flags: Mapping[str, Any]) -> Settings:
        """Settings from values by flag name; what is absent keeps its default.

        Raises:
            SettingsError: a name is unknown, a value has the wrong type or makes no sense.
        """
        sections = section_types()
        names = {field.name for kind in sections.values() for field in dataclasses.fields(kind)}
        unknown = sorted(set(flags) - names)
        _require(not unknown, f"unknown setting {', '.join(unknown)}; expected names from {', '.join(sorted(names))}")
        return cls(**{name: make_section(kind, flags) for name, kind in sections.items()})

    def to_flags(self) -> dict[str, Any]:
        """All settings by flag name, as JSON holds them."""
        sections = (getattr(self, field.name) for field in dataclasses.fields(self))
        return {name: value for section in sections for name, value in dataclasses.asdict(section).items()}


def section_types() -> dict[str, type]:
    """The sections of `Settings` by name."""
    return get_type_hints(Settings)


def dataset_fingerprint(settings: Settings, vocabulary_sha256: str, inputs: Sequence[Mapping[str, Any]]) -> str:
    """Names a dataset: equal for two runs exactly if they are to give the same bytes.

    Args:
        settings: of the run; those that decide no byte (where things lie, which shuffle) are left out.
        vocabulary_sha256: of the vocabulary file.
        inputs: what is known of each input file (path, size, time of change, format), as JSON values.

    Returns:
        64 hexadecimal digits.
    """
    no_byte = {"input", "input_format", "vocab_file", "output_dir", "shuffle", "tokens_dir", "max_error_rate"}
    flags = {name: value for name, value in settings.to_flags().items() if name not in no_byte}
    return _fingerprint(flags, vocabulary_sha256, inputs)


def tokens_fingerprint(settings: Settings, vocabulary_sha256: str, inputs: Sequence[Mapping[str, Any]]) -> str:
    """Names a token store: equal for two runs exactly if they can share one. Arguments as `dataset_fingerprint`."""
    sections = (settings.corpora, settings.sentences, settings.wordpiece)
    flags = {name: value for section in sections for name, value in dataclasses.asdict(section).items()}
    for name in ("input", "input_format", "vocab_file"):
        del flags[name]
    # These two decide where a document goes.
    flags |= {name: getattr(settings.shards, name) for name in ("random_seed", "validation_fraction")}
    return _fingerprint(flags, vocabulary_sha256, inputs)


def _fingerprint(flags: Mapping[str, Any], vocabulary_sha256: str, inputs: Sequence[Mapping[str, Any]]) -> str:
    content = {"settings": flags, "vocabulary": vocabulary_sha256, "inputs": list(inputs)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def make_section(kind: type[Section], flags: Mapping[str, Any]) -> Section:
    """One section from values by flag name, leaving out those of others.

    Raises:
        SettingsError: a value has the wrong type or makes no sense.
    """
    hints = get_type_hints(kind)
    given = (field for field in dataclasses.fields(kind) if field.name in flags)  # type: ignore[arg-type]
    return kind(**{field.name: _coerce(field, hints[field.name], flags[field.name]) for field in given})


_PLURALS = {str: "strings", int: "whole numbers"}


def _coerce(field: dataclasses.Field[Any], kind: Any, value: Any) -> Any:
    """The value as the field's type; whole numbers pass for fractions, one string for a list of one."""
    if isinstance(value, str) and value in field.metadata["words"]:
        return field.metadata["words"][value]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind not in (str, int, float, bool):
        item_kind, _ = get_args(kind)
        value = [value] if isinstance(value, str) else value
        good = isinstance(value, list | tuple) and all(type(item) is item_kind for item in value)
        _require(good, f"{field.name} is {value!r}; expected a list of {_PLURALS[item_kind]}")
        return tuple(value)
    _require(type(value) is kind, f"{field.name} is {value!r}; expected {kind.__name__}")
    return value
