"""What is in a shard, ours or anybody's: reading instances, putting them into words, printing them.

Needs neither Beam nor TensorFlow.
"""

from mlm_data.inspection.description import BERT_LABEL_MEANINGS, Description, Kind, Prediction, describe
from mlm_data.inspection.instance import Instance, read_instance, read_instances
from mlm_data.inspection.printing import print_legend, print_record
from mlm_data.inspection.records import Record, read_first, read_one
from mlm_data.inspection.sources import DatasetError, RequestError, Shard, find_shards

__all__ = [
    "BERT_LABEL_MEANINGS",
    "DatasetError",
    "Description",
    "Instance",
    "Kind",
    "Prediction",
    "Record",
    "RequestError",
    "Shard",
    "describe",
    "find_shards",
    "print_legend",
    "print_record",
    "read_first",
    "read_instance",
    "read_instances",
    "read_one",
]
