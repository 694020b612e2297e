"""Mends the characters of one line: wrong encodings, control characters, white space, Unicode normal form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import ftfy

from mlm_data.records import Repair

_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_DROPPED = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")  # the others are white space to `str.split`
# Zero-width space, byte order mark, word joiner, soft hyphen; not U+200C and U+200D: Persian and Hindi need them.
_INVISIBLE = re.compile("[\u200b\ufeff\u2060\u00ad]")
# U+0085 is a line end, unless it is a Windows-1252 ellipsis or part of a letter, both read as Latin-1.
_NEXT_LINE_IS_MOJIBAKE = re.compile("[\x80-\x84\x86-\x9f]|[\u00c2-\u00f4]\x85")

_PRINTABLE_ASCII = b"\n" + bytes(range(0x20, 0x7F))

# Wrong decodings are undone and nothing else: ligatures, wide letters, quotes and entities stay as the writer chose.
_WRONG_DECODINGS_ONLY = ftfy.TextFixerConfig(
    unescape_html=False, fix_latin_ligatures=False, fix_character_width=False, uncurl_quotes=False, normalization=None
)
_CODE_PAGES = (
    *("latin-1", "iso-8859-2", "macroman", "cp437"),
    *(f"sloppy-windows-{page}" for page in (1250, 1252, 1253, 1254, 1257)),  # ftfy makes these known to Python
)


def _as_read_wrongly(values: Iterable[int], *, but_not: str = "") -> str:
    """What bytes become in any of the code pages, for use between brackets in a pattern."""
    characters = {character for page in _CODE_PAGES for character in bytes(values).decode(page)}
    return re.escape("".join(sorted(characters - set(but_not))))


def _mojibake() -> re.Pattern[str]:
    """UTF-8 taken for a single-byte encoding: the lead byte of a letter, then its continuation bytes.

    ftfy looks closer, but needs 40 to 130 ms for a megabyte of French or Russian, where this needs 2 to 5 and passes on
    almost nothing that is good. Leads of two are those of Latin, Greek, Cyrillic, Hebrew and Arabic letters.
    """
    lead_of_two = _as_read_wrongly(b"\xc2\xc3\xc4\xc5\xce\xcf\xd0\xd1\xd7\xd8\xd9", but_not="\u2013\u2014\u0152\u0153")
    lead_of_three = _as_read_wrongly(range(0xE0, 0xF1))
    continuation = _as_read_wrongly(range(0x80, 0xC0))
    # In Windows-1251 leads and continuations are letters: only their unlikeliest sequences tell.
    in_cyrillic = re.escape(bytes(range(0x80, 0xC0)).decode("windows-1251", "ignore"))
    cyrillic_leads = "\u0412\u0413\u0420\u0421"
    tails = (
        "(?<=[\x80-\x9f])",
        f"(?<=[{lead_of_two}])[{continuation}]",
        f"(?<=[{lead_of_three}])[{continuation}]{{2}}",
        "(?<=[\u00c2\u00c3]) ",
        f"(?<=[{cyrillic_leads}])[{in_cyrillic}][{cyrillic_leads}]",
        "(?<=[\u0412\u0413])[\u00a4\u00a6\u00a7\u00a9\u00ac\u00ae\u00b0\u00b1\u00b5-\u00b7\u2020-\u2022\u2030\u2122]",
        "(?<=\u0432)\u0402",
    )
    # One class first: so Python's engine skips over all other characters at full speed.
    return re.compile(f"[\x80-\x9f{lead_of_two}{lead_of_three}{cyrillic_leads}\u0432](?:{'|'.join(tails)})")


_MOJIBAKE = _mojibake()


def mend_lines(lines: Iterable[str], repairs: set[Repair]) -> list[str]:
    """The lines with one space between words and no bad characters, without those that are then empty.

    Mending a mended line changes nothing.

    Args:
        lines: without line ends.
        repairs: receives what had to be mended.
    """
    lines = list(lines)
    # Asked of all plain lines at once, six times as fast as of one after the other.
    all_printable = not "\n".join(filter(str.isascii, lines)).encode().translate(None, _PRINTABLE_ASCII)
    mended = (
        _space_singly(line) if line.isascii() and (all_printable or line.isprintable()) else _mend(line, repairs)
        for line in lines
    )
    return [line for line in mended if line]


def normalize_line_ends(text: str) -> str:
    r"""Every line separator of Unicode becomes "\n", a paragraph separator two; a form feed is left, as white space."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\x0b", "\n")
    if text.isascii():
        return text
    if "\x85" in text and not _NEXT_LINE_IS_MOJIBAKE.search(text):
        text = text.replace("\x85", "\n")
    return text.replace("\u2028", "\n").replace("\u2029", "\n\n")


def _space_singly(line: str) -> str:
    """A line without white space other than spaces, words one space apart."""
    while "  " in line:  # much faster than splitting where it is rare
        line = line.replace("  ", " ")
    return line.strip(" ")


def _mend(line: str, repairs: set[Repair]) -> str:
    before = None
    while line != before:  # one repair may bring another to light
        before = line
        line = _undo_wrong_decoding(line, repairs)
        line = _space_singly(line) if line.isprintable() else " ".join(_drop_control_characters(line, repairs).split())
        if not unicodedata.is_normalized("NFC", line):
            line = unicodedata.normalize("NFC", line)
    return line


def _undo_wrong_decoding(line: str, repairs: set[Repair]) -> str:
    try:
        line.encode()  # fails where they are; much faster than a search
    except UnicodeEncodeError:
        repairs.add(Repair.LONE_SURROGATES)
        line = line.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if line.isascii() or not _MOJIBAKE.search(line):
        return line
    fixed = ftfy.fix_encoding(line, _WRONG_DECODINGS_ONLY)
    if fixed != line:
        repairs.add(Repair.MOJIBAKE)
    return fixed


def _drop_control_characters(line: str, repairs: set[Repair]) -> str:
    if _CONTROL.search(line):
        repairs.add(Repair.CONTROL_CHARACTERS)
        line = _DROPPED.sub("", line)
    return _INVISIBLE.sub("", line)
