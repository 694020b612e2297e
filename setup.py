"""What Beam's `--setup_file` installs on remote workers; everything is said in pyproject.toml."""

from setuptools import setup

setup()
