"""The one exception for things a person can mend: bad files, bad settings, bad arguments."""


class InputError(Exception):
    """Something outside the program is not as it must be.

    Its text is one line, `WHERE: expected EXPECTED, found FOUND; REMEDY`, which the command line
    prints without a traceback. Control characters from data are escaped in it, so that a terminal
    shows them and does not obey them. A bug is never an `InputError`.
    """

    def __init__(self, where: object, *, expected: str, found: str, remedy: str = "") -> None:
        self.where = str(where)
        self.expected = expected
        self.found = found
        self.remedy = remedy
        line = f"{self.where}: expected {expected}, found {found}"
        if remedy:
            line = f"{line}; {remedy}"
        super().__init__(escaped(" ".join(line.split())))


def shown(value: object, length: int = 60) -> str:
    """`value` as it may stand in a one-line message: quoted, control characters escaped, cut to `length`."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        # Lists in lists without end, and whole numbers of thousands of digits.
        text = f"{type(value).__name__} too large to show"
    return text if len(text) <= length else f"{text[: length - 1]}…"


def escaped(text: str) -> str:
    """`text` with control characters, line ends and half characters as a terminal shows and does not obey them."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
