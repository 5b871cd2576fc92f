"""Methods and their labels."""

from multirm.evaluation.methods import Method, labels, methods, scorers
from multirm.tables.accuracy import Aggregation, Selection


def test_a_label_has_the_aggregation_only_if_the_model_has_several() -> None:
    found = scorers({"dPRM": [Aggregation.MIN, Aggregation.MEAN], "gORM": [Aggregation.MEAN]})
    assert list(labels(found).values()) == ["dPRM min", "dPRM mean", "gORM"]


def test_every_scorer_has_every_selection_that_needs_one() -> None:
    (scorer,) = scorers({"dORM": [Aggregation.LAST]})
    assert methods([scorer]) == [
        Method(Selection.MAJORITY_VOTE),
        Method(Selection.BEST_OF_N, scorer),
        Method(Selection.WEIGHTED_VOTE, scorer),
        Method(Selection.PASS),
    ]
    assert [method.columns["model"] for method in methods([scorer])] == [None, "dORM", "dORM", None]
