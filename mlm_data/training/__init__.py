"""The garden: training on the shards. The only place that imports TensorFlow and Keras; asks for the extra `train`."""

import os

# Keras reads it when it is imported: input pipeline and SavedModels here are TensorFlow's.
os.environ["KERAS_BACKEND"] = "tensorflow"
