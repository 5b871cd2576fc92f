"""Methods that select an answer from a pool."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from multirm.tables.accuracy import Aggregation, Selection


class Scorer(NamedTuple):
    """The source of a solution's reward: a reward model and an aggregation of its list of rewards."""

    model: str
    aggregation: Aggregation

    @property
    def columns(self) -> dict[str, str]:
        """The scorer as table columns: model and aggregation."""
        return {"model": self.model, "aggregation": str(self.aggregation)}


@dataclass(frozen=True)
class Method:
    """A selection and, if it needs rewards, their scorer."""

    selection: Selection
    scorer: Scorer | None = None

    @property
    def columns(self) -> dict[str, str | None]:
        """The method as table columns: selection, model and aggregation."""
        scorer = self.scorer.columns if self.scorer else dict.fromkeys(("model", "aggregation"))
        return {"selection": str(self.selection), **scorer}


def scorers(aggregations: Mapping[str, Sequence[Aggregation]]) -> list[Scorer]:
    """Each model with each of its aggregations, in order."""
    return [Scorer(model, name) for model, names in aggregations.items() for name in names]


def methods(scorers: Sequence[Scorer]) -> list[Method]:
    """Majority vote, each scorer under each selection, and the ceiling."""
    return [
        Method(Selection.MAJORITY_VOTE),
        *(
            Method(selection, scorer)
            for selection in Selection
            if selection.needs_rewards
            for scorer in scorers
        ),
        Method(Selection.PASS),
    ]


def labels(scorers: Sequence[Scorer]) -> dict[Scorer, str]:
    """The label of each scorer: its model, and also its aggregation if the model has several."""
    models = [scorer.model for scorer in scorers]
    return {
        scorer: scorer.model
        if models.count(scorer.model) == 1
        else f"{scorer.model} {scorer.aggregation}"
        for scorer in scorers
    }
