"""Raw text in, BERT pre-training shards out."""
