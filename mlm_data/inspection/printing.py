"""Records for the eye: in colour on a terminal, and no less plainly without."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from mlm_data.inspection.description import Description, Kind, Prediction
from mlm_data.inspection.records import Record
from mlm_data.inspection.sources import Shard
from mlm_data.vocabulary import CONTINUATION

STYLES = {Kind.MASKED: "cyan", Kind.RANDOM: "yellow", Kind.KEPT: "green", Kind.REPLACED: "cyan"}

_EXAMPLES = (
    (Prediction(0, "river", "[MASK]", Kind.MASKED), "masked"),
    (Prediction(0, "river", "stone", Kind.RANDOM), "replaced at random"),
    (Prediction(0, "river", "river", Kind.KEPT), "unchanged"),
)
_EXAMPLES_OF_IDS = (
    (Prediction(0, "2314", "103", Kind.REPLACED), "replaced, by [MASK] or at random"),
    (Prediction(0, "2314", "2314", Kind.KEPT), "unchanged"),
)
_NO_VOCABULARY = "No vocabulary: ids are shown as numbers; name one with --vocab_file FILE"
_UNSURE_LABELS = (
    "No manifest says what the labels mean. Read here as google-research/bert and this project write them, 1: B is "
    "random; TF Model Garden's sentence prediction task may read them the other way."
)


def print_legend(console: Console, shards: Sequence[Shard]) -> None:
    """Says once what the marks mean, which vocabularies are used, and how labels are read."""
    if any(shard.is_masked for shard in shards):
        examples = _EXAMPLES if any(shard.vocabulary for shard in shards) else _EXAMPLES_OF_IDS
        marks = (Text.assemble(_mark(example, console), " ", meaning) for example, meaning in examples)
        console.print(Text("   ").join(marks))
    vocabularies = {shard.vocabulary_path: len(shard.vocabulary.pieces) if shard.vocabulary else 0 for shard in shards}
    for path, size in vocabularies.items():
        known = f"Vocabulary: {path}, {size:,} entries"
        console.print(Text(known if path else _NO_VOCABULARY, "dim"))
    if any(shard.manifest is None for shard in shards):
        console.print(Text(_UNSURE_LABELS, "dim"))


def print_record(console: Console, record: Record, description: Description) -> None:
    """Prints one record: where it lies, its numbers and label, its texts with the predicted tokens marked, a table."""
    title = Text.assemble((record.shard.name, "bold"), f", record {record.index}")
    console.print()
    console.print(Rule(title, align="left", style="dim"))
    console.print(_facts(description))
    texts = Table.grid(padding=(0, 2, 0, 0))
    texts.add_column()
    texts.add_column(overflow="fold")  # an ellipsis would take the place of a character
    for name, positions in _segments(description).items():
        texts.add_row(Text(name, "bold"), _marked_text(description, positions, console))
    console.print(texts)
    if description.predictions:
        console.print(_prediction_table(description.predictions, console))


def _segments(description: Description) -> dict[str, range]:
    """The positions of the segments by name; one that is alone is simply the text."""
    named = {"A": description.segment_a, "B": description.segment_b}
    segments = {name: positions for name, positions in named.items() if positions}
    return {"text": description.segment_a} if segments.keys() == {"A"} else segments


def _facts(description: Description) -> Text:
    sizes = [f"|{name}| {len(positions)}" for name, positions in _segments(description).items()]
    predictions = f"{len(description.predictions)} of {description.slots} predictions"
    facts = ", ".join(
        [
            f"{len(description.pieces)} of {description.width} tokens",
            *(sizes if description.segment_b else ["one segment"]),
            predictions if description.slots else "not masked",
        ]
    )
    label = "no label" if description.label is None else f"label {description.label}: {description.label_meaning}"
    return Text.assemble(facts, "\n", (label, "magenta"))


def _marked_text(description: Description, positions: range, console: Console) -> Text:
    """The text of a segment, each predicted token in brackets with what became of it."""
    predicted = {prediction.position: prediction for prediction in description.predictions}
    text = Text(overflow="fold")
    for position in positions:
        prediction = predicted.get(position)
        piece = prediction.original if prediction else description.pieces[position]
        continues = piece.startswith(CONTINUATION) and position > positions.start
        text.append("" if continues or position == positions.start else " ")
        if prediction:
            text.append_text(_mark(prediction, console))
        else:
            text.append(piece.removeprefix(CONTINUATION) if continues else piece)
    return text


def _mark(prediction: Prediction, console: Console) -> Text:
    """One predicted token in a text, as the legend explains it."""
    if prediction.kind is Kind.KEPT:
        change = "=kept"
    else:
        arrow = "->" if console.options.ascii_only else "→"
        change = arrow + ("MASK" if prediction.kind is Kind.MASKED else prediction.now)
    return Text(f"[{prediction.original}{change}]", STYLES[prediction.kind])


def _prediction_table(predictions: Sequence[Prediction], console: Console) -> Table:
    """All predictions, in as many groups of columns side by side as the terminal has room for."""
    rows = [
        [Text(str(item.position)), Text(item.original), Text(item.now), Text(item.kind, STYLES[item.kind])]
        for item in predictions
    ]
    titles = [Text(title) for title in ("position", "original", "now", "kind")]
    widths = [max(text.cell_len for text in column) for column in zip(titles, *rows, strict=True)]
    width = sum(widths) + 2 * len(widths)
    groups = max(1, min(len(rows), console.width // width))
    height = -(-len(rows) // groups)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for _ in range(groups):
        for title, column_width in zip(titles, widths, strict=True):
            table.add_column(title, width=column_width, justify="right" if title.plain == "position" else "left")
    for first in range(height):
        table.add_row(*(cell for place in range(first, len(rows), height) for cell in rows[place]))
    return table
