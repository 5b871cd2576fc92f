"""Text and paths as DuckDB's SQL writes them: a view cannot have parameters."""

from collections.abc import Iterable
from pathlib import Path

_WILDCARDS = str.maketrans({char: f"[{char}]" for char in "*?["})


def literal(text: str) -> str:
    """A string."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[object]) -> str:
    """A list of strings."""
    return "[" + ", ".join(literal(str(text)) for text in texts) + "]"


def without_wildcards(path: Path) -> str:
    """A path as what reads files takes it, so that it is this file's and no pattern for others' names."""
    return str(path).translate(_WILDCARDS)
