"""Methods: which there are, and what they are called."""

from multirm.evaluation.methods import Method, labels, methods, scorers
from multirm.tables.accuracy import Aggregation, Selection


def test_a_model_is_called_by_its_aggregation_only_where_it_has_several() -> None:
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
