"""Makes a WordPiece vocabulary from text: words are counted, pieces learnt, and laid out as BERT's are."""

from mlm_data.vocabulary_training.counting import WordCounter
from mlm_data.vocabulary_training.layout import RESERVED_PIECES, write_pieces
from mlm_data.vocabulary_training.learning import AlphabetTooLargeError, LearntPieces, learn_pieces

__all__ = [
    "RESERVED_PIECES",
    "AlphabetTooLargeError",
    "LearntPieces",
    "WordCounter",
    "learn_pieces",
    "write_pieces",
]
