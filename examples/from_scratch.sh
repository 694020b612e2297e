#!/bin/sh
# From raw text to a model that fills in blanks: its own vocabulary, data, training, a judgement, and a try.
set -e

train-vocab --input 'samples/corpus/**' --output out/from-scratch/vocab.txt --vocab_size 2000

# The text is short, so that it is paired and masked anew forty times. A tenth of the articles is held out.
make-pretraining-data --input 'samples/corpus/**' --vocab_file out/from-scratch/vocab.txt \
    --output_dir out/from-scratch/data --max_seq_length 64 --dupe_factor 40 --validation_fraction 0.1

# A small model and little text want a higher learning rate than BERT's 1e-4.
train-bert --data_dir out/from-scratch/data --model_dir out/from-scratch/model --model_size tiny \
    --batch_size 32 --num_train_steps 1000 --learning_rate 1e-3

evaluate --model out/from-scratch/model --data_dir out/from-scratch/data

fill-mask --model out/from-scratch/model "The keeper of the [MASK] lit the lamp." "It is [MASK] of the most [MASK] things."
