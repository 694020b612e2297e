"""The report as one HTML file that needs nothing else: no network, no scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from mlm_data import summary
from mlm_data.config import Settings
from mlm_data.manifest import Manifest
from mlm_data.objectives import find_objective
from mlm_data.report.style import CSS
from mlm_data.shards import TRAIN
from mlm_data.statistics import DocumentStatistics, InstanceStatistics
from mlm_data.summary import Row, format_bytes, format_count, format_share

if TYPE_CHECKING:
    from mlm_data.report.pictures import Picture

_TITLE = "BERT pre-training data"
_NOT_SHOWN = {"output_dir", "shuffle"}  # where and how it was made tells nothing of what it is


def render_report(
    manifest: Manifest,
    settings: Settings,
    documents: DocumentStatistics,
    instances: Mapping[str, InstanceStatistics],
) -> str:
    """The content of `report.html`; the same arguments give the same bytes.

    Args:
        manifest: of the finished dataset.
        settings: of the run.
        documents: of the whole corpus.
        instances: by split; one that is absent has none.
    """
    splits = summary.splits_of(manifest, instances)
    body = [
        "<header>",
        f"<h1>{_TITLE}</h1>",
        *_introduce(manifest, documents, instances),
        _facts(manifest, documents, instances),
        "</header>",
        "<main>",
        *_tables(manifest, settings, documents, instances),
        *(part for split in splits for part in _pictures(split, manifest, settings, instances)),
        _settings(settings),
        "</main>",
    ]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8"/>',
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
            f"<title>{_TITLE}</title>",
            f"<style>\n{CSS}\n</style>",
            "</head>",
            "<body>",
            *body,
            "</body>",
            "</html>",
            "",
        ]
    )


def _introduce(
    manifest: Manifest, documents: DocumentStatistics, instances: Mapping[str, InstanceStatistics]
) -> list[str]:
    total = summary.total_of(manifest, instances)
    passes = f"{manifest.dupe_factor} passes" if manifest.dupe_factor > 1 else "one pass"
    case = "lower-case" if manifest.do_lower_case else "cased"
    lead = (
        f"{format_count(total.instances)} instances of up to {manifest.max_seq_length} WordPiece tokens for "
        f"{find_objective(manifest.objective, manifest.parity).description}, made from "
        f"{format_count(documents.kept)} documents in {passes} with seed {manifest.random_seed}."
    )
    meanings = [f"Label {label}: {meaning}." for label, meaning in sorted(manifest.label_meanings.items())]
    labels = f"{escape(' '.join(meanings))}<br/>" if meanings else ""
    vocabulary = f"Vocabulary of {format_count(manifest.vocab_size)} {case} entries, sha256"
    return [
        f'<p class="lead">{escape(lead)}</p>',
        f'<p class="quiet">{labels}{escape(vocabulary)} <code>{escape(manifest.vocab_sha256)}</code>.</p>',
    ]


def _facts(manifest: Manifest, documents: DocumentStatistics, instances: Mapping[str, InstanceStatistics]) -> str:
    """The few figures that tell at a glance whether the dataset is what was wanted."""
    total = summary.total_of(manifest, instances)
    shards = [shard for part in manifest.shards.values() for shard in part]
    marked = find_objective(manifest.objective, manifest.parity).marked.capitalize()
    pairs = [(f"{marked} pairs", format_share(total.marked_pairs, total.instances), "of the instances")]
    predicted = [("Predicted", format_share(total.predicted, total.tokens), "of the tokens")]
    facts = [
        (
            "Instances",
            format_count(total.instances),
            f"{summary.format_ratio(total.tokens, total.instances)} tokens each",
        ),
        ("Documents kept", format_share(documents.kept, documents.read), f"of {format_count(documents.read)} read"),
        ("Fill", summary.fill(total, manifest), "the rest is padding"),
        *(predicted if manifest.max_predictions_per_seq else []),
        *(pairs if manifest.label_meanings else []),
        ("Size", format_bytes(sum(shard.size for shard in shards)), f"in {format_count(len(shards))} shards"),
    ]
    items = (
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)} <small>{escape(note)}</small></dd></div>"
        for name, value, note in facts
    )
    return f'<dl class="facts">{"".join(items)}</dl>'


def _tables(
    manifest: Manifest, settings: Settings, documents: DocumentStatistics, instances: Mapping[str, InstanceStatistics]
) -> list[str]:
    splits = summary.splits_of(manifest, instances)
    return [
        "<section>",
        "<h2>Documents</h2>",
        _table("What became of the documents of the corpus", ("", "count", ""), summary.document_rows(documents)),
        "</section>",
        "<section>",
        "<h2>Instances</h2>",
        _table(
            "What the shards hold, counted while they were written",
            ("", *splits, "asked for"),
            summary.instance_rows(manifest, settings, instances),
        ),
        "</section>",
    ]


def _table(caption: str, columns: Sequence[str], rows: Sequence[Row], kind: str = "numbers") -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' if column else "<td></td>" for column in columns)
    return "\n".join(
        [
            f'<div class="wide"><table class="{kind}"><caption>{escape(caption)}</caption>',
            f"<thead><tr>{head}</tr></thead>",
            "<tbody>",
            *map(_line, rows),
            "</tbody></table></div>",
        ]
    )


def _line(row: Row) -> str:
    values = "".join(f"<td>{escape(value)}</td>" for value in row.values)
    kind = "part" if row.is_part else "whole"
    return f'<tr class="{kind}"><th scope="row">{escape(row.label)}</th>{values}</tr>'


def _pictures(
    split: str, manifest: Manifest, settings: Settings, instances: Mapping[str, InstanceStatistics]
) -> list[str]:
    statistics = summary.instances_of(split, manifest, instances)
    if not statistics.instances:
        return []
    # matplotlib costs half a second and 40 MB, which workers that only know of this module should not pay.
    from mlm_data.report.pictures import draw_pictures  # noqa: PLC0415

    passes = manifest.dupe_factor if split == TRAIN else 1
    pictures = draw_pictures(split, statistics, manifest.shards.get(split, ()), settings, passes)
    figures = ['<div class="figures">', *map(_figure, pictures), "</div>"]
    heading = f"Pictures: {split}"
    if split == TRAIN:
        return [f"<section>\n<h2>{escape(heading)}</h2>", *figures, "</section>"]
    return [f"<details>\n<summary>{escape(heading)}</summary>", *figures, "</details>"]


def _figure(picture: Picture) -> str:
    labelled = picture.svg.replace("<svg", f'<svg role="img" aria-label="{escape(picture.description)}"', 1)
    return (
        f"<figure>\n<h3>{escape(picture.title)}</h3>\n{labelled}\n"
        f"<figcaption>{escape(picture.caption)}</figcaption>\n</figure>"
    )


def _settings(settings: Settings) -> str:
    defaults = Settings().to_flags()
    rows = [
        Row(name, (_as_text(name, value), _as_text(name, defaults[name]) if value != defaults[name] else ""))
        for name, value in settings.to_flags().items()
        if name not in _NOT_SHOWN
    ]
    table = _table("Those of the run, by the names of their flags", ("", "value", "default, if another"), rows, "words")
    return f"<details>\n<summary>Settings</summary>\n{table}\n</details>"


def _as_text(name: str, value: Any) -> str:
    if name == "vocab_file":  # its directory is of no concern; the copy is vocab.txt
        return PurePath(value).name
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
