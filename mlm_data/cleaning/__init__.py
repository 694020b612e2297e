"""Room 2: a document as read becomes clean text, or is rejected."""

from __future__ import annotations

import re

import xxhash

from mlm_data.cleaning.characters import mend_lines, normalize_line_ends
from mlm_data.cleaning.unwrapping import unwrap
from mlm_data.records import EXCERPT_CHARACTERS, Document, Layout, Reason, Rejection, Repair

__all__ = ["clean_document", "document_key"]

# Counted, not changed: the tokenizer knows no special tokens, so that these are brackets and letters to it.
_SPECIAL_TOKENS = re.compile(r"\[(?:PAD|UNK|CLS|SEP|MASK)\]")


def clean_document(document: Document) -> Document | Rejection:
    """Text as every later step expects it; cleaning it again changes nothing.

    One paragraph (or sentence, where the layout says so) a line, words one space apart, Unicode normal form C, no
    control or zero-width characters, no lone surrogates; lines of hard-wrapped text joined; text that was decoded with
    the wrong encoding put right. Licences, headings and the like stay.

    Args:
        document: as read.

    Returns:
        The document with what was mended added to its repairs, or a `Reason.EMPTY` rejection.
    """
    repairs = set(document.repairs)
    if document.layout is Layout.WRAPPED:
        lines = unwrap(normalize_line_ends(document.text))
    elif document.layout is Layout.SENTENCES:
        lines = document.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # others are within a sentence
    else:
        lines = normalize_line_ends(document.text).split("\n")
    text = "\n".join(mend_lines(lines, repairs))
    if not text:
        excerpt = document.text[:EXCERPT_CHARACTERS].encode("utf-8", "replace").decode()
        detail = "nothing but white space and characters without meaning"
        return Rejection(Reason.EMPTY, document.source, document.index, detail, excerpt)
    if _SPECIAL_TOKENS.search(text):
        repairs.add(Repair.LITERAL_SPECIAL_TOKENS)
    layout = Layout.PARAGRAPHS if document.layout is Layout.WRAPPED else document.layout
    in_order = tuple(repair for repair in Repair if repair in repairs) if repairs else ()
    return Document(document.source, document.index, text, layout, in_order)


def document_key(text: str) -> bytes:
    """The name of a document wherever it goes: xxh3_128 of its cleaned text in UTF-8, 16 bytes."""
    return xxhash.xxh3_128_digest(text.encode())
