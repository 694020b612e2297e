"""Results as one picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.results import Benchmark, Result, ratio

# Blue and orange of Okabe and Ito's palette, apart for every kind of colour vision; darker first, apart in grey too.
_WHOLE, _GROWING = "#0072b2", "#e69f00"
_BAR_HEIGHT = 0.36


def draw_chart(benchmark: Benchmark, path: Path) -> None:
    """Draws CPU seconds per MB of each contender, logarithmically, and writes it as SVG or PNG by the path's suffix."""
    measured = sorted(
        (result for result in benchmark.results if result.best), key=lambda result: result.cpu_seconds_per_mb or 0.0
    )
    missing = [result for result in benchmark.results if not result.best]
    # Neither the time nor random identifiers in the file.
    with mpl.rc_context({"svg.hashsalt": "benchmark", "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(8.6, 1.7 + 0.75 * len(measured) + 0.2 * len(missing)), layout="constrained")
        axes = figure.subplots()
        for place, result in enumerate(measured):
            _draw_contender(axes, benchmark, place, result)
        _finish(axes, benchmark, [f"{result.name}\n{result.does}" for result in measured])
        if missing:
            lines = [f"{result.name}: {result.status}, {result.reason}" for result in missing]
            figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=8, color="#57606a")
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=130)


def _draw_contender(axes: Axes, benchmark: Benchmark, place: int, result: Result) -> None:
    ours = benchmark.ours
    bars = [
        (place - _BAR_HEIGHT / 2, result.cpu_seconds_per_mb, ours.cpu_seconds_per_mb, _WHOLE),
        (place + _BAR_HEIGHT / 2, result.growing_cpu_seconds_per_mb, ours.growing_cpu_seconds_per_mb, _GROWING),
    ]
    for at, value, base, color in bars:
        if value is None:
            continue
        axes.barh(at, value, height=_BAR_HEIGHT, color=color)
        times = "" if result is ours else f", {_times(ratio(value, base))}"
        axes.annotate(f"{value:.2g} s/MB{times}", (value, at), (4, 0), textcoords="offset points", va="center")


def _times(value: float | None) -> str:
    if value is None:
        return "ratio unknown"
    return f"{value:.0f} x ours" if value >= 9.95 else f"{value:.1f} x ours"


def _finish(axes: Axes, benchmark: Benchmark, names: list[str]) -> None:
    settings, text = benchmark.settings, benchmark.text
    axes.set_xscale("log")
    axes.margins(x=0.25)
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * 3)  # room for the labels
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("CPU seconds per MB of raw text (logarithmic)")
    dataset = f"dupe_factor {settings.dupe_factor}, max_seq_length {settings.max_seq_length}"
    axes.set_title(f"{text.megabytes:.1f} MB of text, {dataset}", loc="left", pad=28)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#d8dde3", linewidth=0.6)
    axes.set_axisbelow(True)
    handles = [axes.barh(0, 0, color=color, label=label) for color, label in _LEGEND.items()]
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(-0.01, 1.0), borderaxespad=0.2, ncols=2, frameon=False
    )


_LEGEND = {_WHOLE: "whole process", _GROWING: "without fixed start-up"}
