"""Randomness depends on seed and purpose, and on nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlm_data import chance

purposes = st.lists(st.one_of(st.integers(), st.text(max_size=5)), max_size=3)


def draw(seed, purpose):
    return int(chance.generator(seed, *purpose).integers(2**63))


@given(st.integers(), purposes, st.integers(), purposes)
def test_streams_are_equal_exactly_if_their_keys_are(seed, purpose, other_seed, other_purpose):
    same = (seed, purpose) == (other_seed, other_purpose)
    assert (draw(seed, purpose) == draw(other_seed, other_purpose)) is same


def test_the_streams_of_this_version_of_numpy_are_the_ones_promised():
    # Another value here means that a new numpy draws otherwise: every dataset would change with it.
    generator = chance.generator(12345, "mask", "train", 0, 0)
    drawn = [generator.integers(0, 2**32, dtype="uint32"), generator.binomial(40, 0.5), generator.permutation(100)[0]]
    drawn += [generator.random(dtype="float32"), generator.random(), chance.hash64(12345, "bucket", b"key")]
    assert [float(value) for value in drawn] == [
        3272853914.0,
        20.0,
        87.0,
        0.19226151704788208,
        0.1320289860834294,
        1.6131394743832664e19,
    ]
