"""Another wording of the miniature's sentences, which means the same."""

# By how a sentence begins. No sentence of a chain begins with a wording on the right.
_WORDINGS = {
    "Then ": "Hence ",
    "That makes ": "This makes ",
    "The ": "Clearly, the ",
    "For ": "Clearly, for ",
}


def reworded(sentence: str) -> str | None:
    """A sentence of a chain in other words; None if it has none."""
    return _exchanged(sentence, _WORDINGS)


def as_told(sentence: str) -> str:
    """The sentence of a chain that `reworded` gives other words; any other sentence as it is."""
    return _exchanged(sentence, {other: own for own, other in _WORDINGS.items()}) or sentence


def _exchanged(sentence: str, wordings: dict[str, str]) -> str | None:
    for old, new in wordings.items():
        if sentence.startswith(old):
            return new + sentence[len(old) :]
    return None
