"""Worked examples: see README.md."""
