"""This project measured against public baselines: the same text and settings, side by side, in one run."""
