"""Room 1: files become documents. A new format is one more entry in `formats.READERS`."""

from mlm_data.corpora.inputs import InputFile, InputSpec, parse_input
from mlm_data.corpora.planning import plan_inputs
from mlm_data.corpora.ranges import FileRange, cut_files
from mlm_data.corpora.reading import read_documents, read_range

__all__ = [
    "FileRange",
    "InputFile",
    "InputSpec",
    "cut_files",
    "parse_input",
    "plan_inputs",
    "read_documents",
    "read_range",
]
