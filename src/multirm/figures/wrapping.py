"""Text in lines of a width: long names are wrapped, not cut."""

import re

# Widths of Helvetica's characters in em, where they are not those of most: from Adobe's font metrics.
_NARROW, _WIDE = set("ijl.,:;'|!()[]ftrI /-"), set("mwMW@%GOQ")
_EM = {"narrow": 0.30, "usual": 0.556, "capital": 0.69, "wide": 0.83, "bold": 1.07}

# Where a line may end: behind a space. Where a word goes on in the next line if it is wider than one: behind a mark
# that joins its parts.
_WORD = re.compile(r"\S*\s?")
_PART = re.compile(r"[^\s_/-]*[\s_/-]?")


def text_width(text: str, size: float, bold: bool = False) -> float:
    """How wide a line of text is in pixels, about.

    Args:
        size: of the font, in pixels.
    """
    em = sum(_EM[_class(char)] for char in text)
    return em * size * (_EM["bold"] if bold else 1)


def _class(char: str) -> str:
    if char in _NARROW:
        return "narrow"
    if char in _WIDE or ord(char) > 0x2E7F:
        return "wide"
    return "capital" if char.isupper() else "usual"


def wrap(text: str, width: float, size: float, bold: bool = False) -> list[str]:
    """Lines of at most a width in pixels, of whole words; only a word that is wider than a line goes on in the next."""

    def is_full(more: str) -> bool:
        return bool(lines[-1]) and text_width((lines[-1] + more).rstrip(), size, bold) > width

    lines = [""]
    for word in _WORD.findall(text):
        is_wide = text_width(word.rstrip(), size, bold) > width
        for part in _PART.findall(word) if is_wide else [word]:
            for piece in part if text_width(part.rstrip(), size, bold) > width else [part]:
                if is_full(piece):
                    lines.append("")
                lines[-1] += piece
    return [line.strip() for line in lines if line.strip()]


def balanced(text: str, width: float, size: float) -> list[str]:
    """As `wrap`, in as many lines, which are about as wide as each other."""
    lines = wrap(text, width, size)
    narrow = text_width(text, size) / max(len(lines), 1)
    while narrow < width and len(wrap(text, narrow, size)) > len(lines):
        narrow += size / 2
    return wrap(text, min(narrow, width), size)
