"""PRM800K (arXiv 2305.20050) in VersaPRM's training format: rated steps, and alternatives to them.

An alternative (an entry of `augs`) replaces the step at its place and ends there: it is a solution of its
own, made of the steps before it and itself. A question's id is its 0-based place, in six digits. There are no
parsed answers and the reference is a worked solution, so `answer` and `parsed_answer` are null, and the outcome
label is whether all steps are correct.
"""

from collections.abc import Iterable, Iterator

from multirm.json_source import Placed, Record
from multirm.labels import RATINGS, outcome_from_steps, step_labels_from_ratings


def solutions(records: Iterable[Record]) -> Iterator[Placed]:
    """Rows of the solutions table, without `dataset`; `prm_math` is the category `math`."""
    for index, record in enumerate(records):
        question = {
            "category": record.name("domain").removeprefix("prm_"),
            "question_id": f"{index:06d}",
            "question": record.text("question"),
            "answer": None,
            "parsed_answer": None,
        }
        rated = [each for chain in record.records("chain_of_thoughts") for each in _rated(chain)]
        if not rated:
            raise record.error("chain_of_thoughts", expected="at least one", found="none")
        for solution_id, (where, steps, ratings) in enumerate(rated):
            labels = step_labels_from_ratings(ratings)
            yield (
                where,
                {
                    **question,
                    "solution_id": solution_id,
                    "steps": steps,
                    "outcome": outcome_from_steps(labels),
                    "step_labels": labels,
                },
            )


def _rated(chain: Record) -> Iterator[tuple[str, list[str], list[int]]]:
    """The chain itself, then each of its alternatives: where it stands, its steps, their ratings."""
    steps, ratings = chain.texts("steps"), chain.integers("labels")
    if len(steps) != len(ratings):
        raise chain.error(
            "labels",
            expected=f"a label for each of {len(steps)} steps",
            found=f"{len(ratings)} labels",
        )
    _refuse_other_ratings(chain, "labels", ratings)
    yield chain.where, steps, ratings
    for alternative in chain.records("augs"):
        place, rating = alternative.integer("aug_idx"), alternative.integer("aug_type")
        if not 0 <= place <= len(steps):
            raise alternative.error(
                "aug_idx", expected=f"a place from 0 to {len(steps)}", found=str(place)
            )
        _refuse_other_ratings(alternative, "aug_type", [rating])
        step = alternative.text("aug_step")
        yield alternative.where, [*steps[:place], step], [*ratings[:place], rating]


def _refuse_other_ratings(record: Record, key: str, ratings: list[int]) -> None:
    for rating in ratings:
        if rating not in RATINGS:
            raise record.error(key, expected="-1, 0 or 1", found=str(rating))
