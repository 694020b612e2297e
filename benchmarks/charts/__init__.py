"""Results as pictures for the README."""

from benchmarks.charts.comparison import draw_comparison
from benchmarks.charts.growth import draw_growth

__all__ = ["draw_comparison", "draw_growth"]
