"""Room 7: masked batches become serialized `tf.train.Example`s, and back."""

from mlm_data.examples.batch_decoding import DecodedBatch, DecodedRecords, decode_batch
from mlm_data.examples.decoding import RecordError, decode_example
from mlm_data.examples.encoding import encode_batch, feature_values
from mlm_data.examples.schema import BERT_FEATURES, FEATURES, Feature, Width, features_of

__all__ = [
    "BERT_FEATURES",
    "FEATURES",
    "DecodedBatch",
    "DecodedRecords",
    "Feature",
    "RecordError",
    "Width",
    "decode_batch",
    "decode_example",
    "encode_batch",
    "feature_values",
    "features_of",
]
