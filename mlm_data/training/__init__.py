"""The garden: training on the shards. The only place that imports TensorFlow and Keras; asks for the extra `train`."""
