"""Rows of evaluation tables as figures show them, with the labels and styles of their models."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from multirm.charts.palette import MAJORITY_VOTE, STAND_INS, VOTES, Style
from multirm.charts.scorers import Rows, known_models, labels_and_styles, scorer_of
from multirm.errors import escaped
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL, Selection
from multirm.tables.reward_model_rows import labels_of_shown
from multirm.tables.reward_models import REWARD_MODELS
from multirm.tables.schema import Row, Schema


@dataclass(frozen=True)
class Measures:
    """Rows of one table.

    Attributes:
        dataset: what they are of.
        rows: in the order of the table, each with the label of its model as `method`; of a model with a mean over
            training runs, only the mean's.
        styles: of every reward model, in the order of the study, and of a stand-in for one, which is last.
        missing: the labels of the models that the table has no rows of.
        has_means: whether some are means over training runs.
    """

    dataset: str
    rows: Rows
    styles: dict[str, Style]
    missing: Sequence[str] = ()
    has_means: bool = False

    @property
    def methods(self) -> list[str]:
        """In the order of the study."""
        found = {row["method"] for row in self.rows}
        return [name for name in self.styles if name in found]

    @property
    def looks(self) -> dict[str, Style]:
        """The styles of the methods."""
        return {name: self.styles[name] for name in self.methods}

    @property
    def categories(self) -> list[str]:
        """As panels are ordered."""
        return in_order(row["category"] for row in self.rows)


def in_order(categories: Iterable[str]) -> list[str]:
    """The categories of some rows in their order, Overall first; a lone category is the whole by itself."""
    names = list(dict.fromkeys(categories))
    others = [name for name in names if name != OVERALL]
    return others if len(others) == 1 or OVERALL not in names else [OVERALL, *others]


def read_measures(
    path: Path,
    schema: Schema,
    tables: Sequence[Path] = (),
    votes: Mapping[Selection, str] | None = None,
) -> Measures:
    """The rows of a table about reward models, with what these look like.

    Args:
        tables: of reward models; without any, names tell the models' kinds and what is a run of what.
        votes: what selections without a reward model are called; rows of others without one are left out.

    Raises:
        InputError: a model is missing from the tables.
    """
    rows = parquet.read(path, schema).to_pylist()
    dataset = dataset_of(path, rows, tables)
    scored = [row for row in rows if row["model"] not in (None, *STAND_INS)]
    stand_ins = {row["model"] for row in rows} & STAND_INS.keys()
    known = known_models((row["model"] for row in scored), dataset, tables)
    labels = labels_and_styles(scored, known)
    run_of = {each.model: each.run_of for each in known}
    have = {run_of[row["model"]] for row in scored}
    named = []
    for row in rows:
        label, _ = labels.get(scorer_of(row), (STAND_INS.get(row["model"]), None))
        method = _vote(row, votes or {}) if row["model"] is None else label
        if method is not None:
            named.append({**row, "category": escaped(row.get("category", "")), "method": method})
    return Measures(
        escaped(dataset),
        named,
        dict(labels.values()) | {STAND_INS[name]: VOTES[MAJORITY_VOTE] for name in stand_ins},
        [
            escaped(label)
            for model, label in labels_of_shown(known).items()
            if run_of[model] not in have
        ],
        bool({each.model for each in known if each.is_mean} & {row["model"] for row in scored}),
    )


def _vote(row: Row, votes: Mapping[Selection, str]) -> str | None:
    """What a row without a reward model is called."""
    return votes.get(Selection(row["selection"]))


def dataset_of(path: Path, rows: Rows, tables: Sequence[Path] = ()) -> str:
    """The dataset that a table is of; that of the reward models or the name of its folder if it has no rows."""
    for found in (rows, *(parquet.read(each, REWARD_MODELS).to_pylist() for each in tables)):
        if found:
            return str(found[0]["dataset"])
    return path.absolute().parent.name


def interval_text(
    low: float | None, high: float | None, digits: int = 1, is_signed: bool = False
) -> str:
    """An interval in words, for tooltips."""
    if low is None or high is None:
        return "none"
    sign = "+" if is_signed else ""
    return f"{low:{sign}.{digits}f} to {high:{sign}.{digits}f}"


def interval_of(row: Row, name: str, scale: float = 1, digits: int = 1) -> str:
    """The interval of a measure of a row in words.

    Args:
        scale: what values are multiplied by, such as 100 for percent.
    """
    low, high = (
        None if row[key] is None else scale * row[key] for key in (f"{name}_low", f"{name}_high")
    )
    return interval_text(low, high, digits)
