"""Expectations of whole categories: the layout of columns, and the seeds of draws."""

import numpy as np

from multirm.evaluation.expected import columns, expected
from multirm.evaluation.methods import Scorer
from multirm.evaluation.pools import Pools
from multirm.tables.accuracy import Aggregation, Selection

SCORER = Scorer("dORM", Aggregation.LAST)


def pools(category: str, size: int, questions: int = 3) -> Pools:
    rng = np.random.default_rng(size)
    answers = rng.integers(0, 4, (questions, size))
    return Pools(
        category,
        [f"q{k}" for k in range(questions)],
        answers,
        answers == 0,
        np.ones_like(answers, dtype=bool),
        {SCORER: rng.random((questions, size))},
    )


def test_a_pool_smaller_than_n_is_used_whole_and_counted() -> None:
    batches = [pools("law", 3, questions=2), pools("law", 6, questions=5)]
    found = expected(batches, [2, 4], [SCORER], seed=1, draws=10)
    keys = columns([2, 4], [SCORER])
    assert found.values.shape == (7, len(keys))
    for k, (size, method) in enumerate(keys):
        assert found.n_short[k] == (2 if size == 4 else 0)
        if size == 4 and method.selection is Selection.PASS:
            assert found.values[:2, k].tolist() == batches[0].correct.any(axis=1).tolist()


def test_draws_depend_on_a_question_and_its_category() -> None:
    law, physics = pools("law", 24), pools("physics", 24)
    keys = columns([12], [SCORER])
    (vote,) = [k for k, key in enumerate(keys) if key[1].selection is Selection.WEIGHTED_VOTE]
    found = expected([law, physics], [12], [SCORER], seed=1, draws=20).values[:, vote]
    again = expected([physics], [12], [SCORER], seed=1, draws=20).values[:, vote]
    assert found[3:].tolist() == again.tolist()
    assert found[:3].tolist() != found[3:].tolist()
