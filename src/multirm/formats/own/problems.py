"""All that is wrong with somebody else's table at once, each problem with its remedy."""

from collections.abc import Mapping, Sequence

from multirm.errors import InputError, escaped, shown

MOST_PROBLEMS = 20
MOST_COLUMNS = 40


class OwnDataError(InputError):
    """What is wrong with a table, or with what is said about its columns.

    Printed on several lines: the columns, what each was taken for, and a line per problem.

    Attributes:
        problems: one error for each.
        options: what to add so that guessed columns are used, as one text; empty if nothing is guessed.
    """

    def __init__(
        self,
        where: str,
        problems: Sequence[InputError],
        names: Sequence[str] = (),
        taken: Mapping[str, str] | None = None,
        options: str = "",
    ) -> None:
        self.problems = list(problems)
        self.options = options
        self._names, self._taken = list(names), dict(taken or {})
        count = f"{len(self.problems)} problem{'s' * (len(self.problems) > 1)}"
        super().__init__(where, expected="data that can be evaluated", found=count, remedy=options)

    def __str__(self) -> str:
        count = f"{len(self.problems)} problem{'s' * (len(self.problems) > 1)}"
        lines = [f"{self.where}: {count}"]
        if self._names:
            rest = ", …" * (len(self._names) > MOST_COLUMNS)
            lines.append(f"  columns: {', '.join(self._names[:MOST_COLUMNS])}{rest}")
        if self._taken:
            pairs = (f"{field} = {column}" for field, column in self._taken.items())
            lines.append(f"  understood: {', '.join(pairs)}")
        for number, problem in enumerate(self.problems[:MOST_PROBLEMS], 1):
            told = "" if problem.where == self.where else f"{problem.where}: "
            lines.append(f"  {number}. {' '.join((told + problem.mistake).split())}")
        if len(self.problems) > MOST_PROBLEMS:
            lines.append(f"  and {len(self.problems) - MOST_PROBLEMS} more")
        if self.options:
            lines.append(f"  try: {self.options}")
        return "\n".join(escaped(line) for line in lines)


def keys_shown(keys: Sequence[object], total: int) -> str:
    """The first few keys, and how many there are of them."""
    return f"{', '.join(map(shown, keys))}{f' and {total - len(keys)} more' * (total > len(keys))}"
