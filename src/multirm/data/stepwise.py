"""TRL's stepwise data as a dataset of one category (see `formats.trl`).

Labels that are fractions, and those of solutions in which only some steps have one, are in `own_labels` alone.
"""

from collections.abc import Iterator, Sequence

from multirm.data.tally import Tally
from multirm.formats.json_source import Placed
from multirm.formats.trl import read_stepwise, solution_rows


def solutions(source: Sequence[str], category: str, tally: Tally) -> Iterator[Placed]:
    """Rows of the solutions table, without `dataset`; all are of the category that is asked for."""
    found = read_stepwise(source)
    for solution, row in zip(found, solution_rows(found, "", category), strict=True):
        tally.add(category, "empty steps left out", solution.where, solution.n_empty)
        own = [
            label if value is None else value
            for label, value in zip(solution.labels, solution.values, strict=True)
        ]
        yield (
            solution.where,
            {**{name: row[name] for name in row if name != "dataset"}, "own_labels": own},
        )
