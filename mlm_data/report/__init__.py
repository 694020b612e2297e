"""`report.html`: what a dataset holds, in tables and pictures for a person."""

from mlm_data.report.page import render_report

__all__ = ["render_report"]
