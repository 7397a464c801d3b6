"""Text of suspects and plugins, made harmless for a terminal and for an eye.

Control characters (escape sequences, NUL, backspace) and the invisible ones that reorder or hide
text (bidirectional overrides, zero-width characters) become visible signs of one cell each.
"""

from __future__ import annotations

_BIDIRECTIONAL = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_ZERO_WIDTH = (0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF)
_TAGS = range(0xE0000, 0xE0080)
_CONTROLS = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "\u2421"}
_HIDDEN = dict.fromkeys((*range(0x80, 0xA0), *_BIDIRECTIONAL, *_ZERO_WIDTH, *_TAGS), "\ufffd")
_LINE_ENDS = dict.fromkeys((0x2028, 0x2029), "\n")

_BLOCK = {**_CONTROLS, **_HIDDEN, **_LINE_ENDS}
del _BLOCK[0x0A], _BLOCK[0x09]
_LINE = {**_BLOCK, **dict.fromkeys((0x0A, 0x09, 0x0D, 0x2028, 0x2029), " ")}


def inert(text: str) -> str:
    """The text with line breaks and tabs kept and everything else that acts made visible.

    Every character becomes exactly one character, so that offsets into the text stay true.
    """
    return text.translate(_BLOCK)


def inert_line(text: str) -> str:
    """The same on one line."""
    return text.translate(_LINE)
