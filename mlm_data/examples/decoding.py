"""Serialized `tf.train.Example`s to arrays; the messages of tensorflow/core/example, built without TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from numpy.typing import NDArray


class RecordError(ValueError):
    """A record that is no training instance; the message says what was got and what was expected."""


def decode_example(record: bytes) -> dict[str, NDArray[Any]]:
    """The features of one serialized `tf.train.Example`, by the names it uses.

    Args:
        record: anybody's; only well-formedness is asked for.

    Returns:
        int64 [values] or float32 [values] for each feature; a bytes feature comes as an object array.

    Raises:
        RecordError: the bytes are no such message.
    """
    message = _EXAMPLE_CLASS()
    try:
        message.ParseFromString(record)
    except DecodeError as error:
        raise RecordError(f"got {len(record)} bytes that are no tf.train.Example ({error})") from None
    return {name: _feature_array(feature) for name, feature in message.features.feature.items()}


def _feature_array(feature: Any) -> NDArray[Any]:
    dtypes = {"int64_list": np.int64, "float_list": np.float32, "bytes_list": np.object_}
    kind = feature.WhichOneof("kind")
    return np.array(getattr(feature, kind).value, dtypes[kind]) if kind else np.zeros(0, np.int64)


def _example_class() -> Any:
    field = descriptor_pb2.FieldDescriptorProto
    proto = descriptor_pb2.FileDescriptorProto(name="mlm_data/example.proto", package="mlm_data", syntax="proto3")
    for name, value_type in (
        ("BytesList", field.TYPE_BYTES),
        ("FloatList", field.TYPE_FLOAT),
        ("Int64List", field.TYPE_INT64),
    ):
        proto.message_type.add(name=name).field.add(name="value", number=1, type=value_type, label=field.LABEL_REPEATED)
    feature = proto.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("bytes_list", "float_list", "int64_list"), start=1):
        type_name = ".mlm_data." + "".join(part.capitalize() for part in name.split("_"))
        feature.field.add(
            name=name,
            number=number,
            type=field.TYPE_MESSAGE,
            type_name=type_name,
            label=field.LABEL_OPTIONAL,
            oneof_index=0,
        )
    features = proto.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    entry.field.add(
        name="value", number=2, type=field.TYPE_MESSAGE, type_name=".mlm_data.Feature", label=field.LABEL_OPTIONAL
    )
    features.field.add(
        name="feature",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".mlm_data.Features.FeatureEntry",
        label=field.LABEL_REPEATED,
    )
    proto.message_type.add(name="Example").field.add(
        name="features", number=1, type=field.TYPE_MESSAGE, type_name=".mlm_data.Features", label=field.LABEL_OPTIONAL
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(proto)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("mlm_data.Example"))


_EXAMPLE_CLASS = _example_class()
