"""What a model can be asked besides hidden tokens: the pre-training objectives, and the words for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Objective:
    """What an instance consists of, and how to speak of it.

    Attributes:
        description: as people call it.
        needs: the least a shard must hold for an instance to be made.
        segments: of an instance, each closed by [SEP].
        label_meanings: what each of the next_sentence_labels says; empty where there are none.
        polarity: whose labels have these meanings.
        marked: what pairs of label 1 are called.
        takes_partners: whether second segments come from other documents, of which there may be too few.
        least_sentences: of a document; one of fewer gives no instance.
        marked_share: of the pairs, how many have label 1.
    """

    description: str
    needs: str
    segments: int
    label_meanings: Mapping[str, str] = field(default_factory=dict)
    polarity: str = ""
    marked: str = ""
    takes_partners: bool = False
    least_sentences: int = 1
    marked_share: str = ""

    @property
    def special_tokens(self) -> int:
        """[CLS] and the [SEP] of each segment."""
        return 1 + self.segments


OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {
        "nsp": Objective(
            description="masked language modelling with next sentence prediction",
            needs="at least two documents of two sentences in a shard",
            segments=2,
            label_meanings={"0": "B follows A in its document", "1": "B comes from another document"},
            polarity="google-research/bert",
            marked="random",
            takes_partners=True,
            least_sentences=2,
            marked_share="50%",
        ),
        "sop": Objective(
            description="masked language modelling with sentence order prediction",
            needs="a document of at least two sentences",
            segments=2,
            label_meanings={"0": "B follows A in its document", "1": "swapped: A follows B in its document"},
            polarity="google-research/albert",
            marked="swapped",
            least_sentences=2,
            marked_share="50%",
        ),
        "mlm": Objective(description="masked language modelling alone", needs="a document", segments=1),
    }
)

# The same objective sampled by the law of somebody else's program, and what holds there instead.
PARITIES: Mapping[str, Objective] = MappingProxyType(
    {
        "bert": dataclasses.replace(
            OBJECTIVES["nsp"],
            description="masked language modelling with next sentence prediction, sampled as by google-research/bert",
            needs="a document",
            label_meanings={
                "0": "B follows A in its document",
                "1": "B was drawn at random, from another document unless ten draws found none",
            },
            takes_partners=False,
            least_sentences=1,
            marked_share="50%, and all of one sentence",
        )
    }
)
NO_PARITY = "none"


def find_objective(name: str, parity: str) -> Objective:
    """What holds for an objective, of this program or of the one it is to be at par with."""
    return OBJECTIVES[name] if parity == NO_PARITY else PARITIES[parity]
