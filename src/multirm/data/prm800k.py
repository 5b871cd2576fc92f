"""PRM800K (arXiv 2305.20050) in VersaPRM's training format: rated steps, and alternatives to them.

An alternative (an entry of `augs`) replaces the step at its position and ends the chain: it is a solution of its
own, consisting of the steps before it and itself. A question's id is its 0-based position, in six digits. There are no
parsed answers, and the reference is a worked solution, so `answer` and `parsed_answer` are null, and the outcome
label is whether all steps are correct.

As in VersaPRM, a step of a chain is correct if its label is 1, and incorrect if it is -1 or 0. An alternative is
correct if its type is PRM800K's rating 1 (good) or 0 (neutral); it is incorrect if its type is -1 or, for
counterfactual alternatives, the name of an error. PRM800K's own files have another format.
"""

from collections.abc import Iterable, Iterator

from multirm.errors import InputError, shown
from multirm.formats.json_source import Placed, Record, each
from multirm.text.labels import outcome_from_steps

_RATINGS = (-1, 0, 1)


def solutions(records: Iterable[Record]) -> Iterator[Placed]:
    """Rows of the solutions table, without `dataset`; the domain `prm_math` becomes the category `math`."""
    return each(records, _solutions)


def _solutions(index: int, record: Record) -> Iterator[Placed]:
    if "label" in record.values and "chain_of_thoughts" not in record.values:
        raise InputError(
            record.where,
            expected="a question in VersaPRM's training format, with chain_of_thoughts",
            found="a row of PRM800K's own files",
            remedy="convert it first",
        )
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
    for solution_id, (where, steps, labels) in enumerate(rated):
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
    """The chain itself, then each of its alternatives: its position in the file, its steps, their labels."""
    steps, ratings = chain.texts("steps"), chain.integers("labels")
    if len(steps) != len(ratings):
        raise chain.error(
            "labels",
            expected=f"a label for each of {len(steps)} steps",
            found=f"{len(ratings)} labels",
        )
    for rating in ratings:
        if rating not in _RATINGS:
            raise chain.error("labels", expected="-1, 0 or 1", found=str(rating))
    labels = [int(rating == 1) for rating in ratings]
    yield chain.where, steps, labels
    for alternative in chain.records("augs"):
        place = alternative.integer("aug_idx")
        if not 0 <= place <= len(steps):
            raise alternative.error(
                "aug_idx", expected=f"a position from 0 to {len(steps)}", found=str(place)
            )
        step = alternative.text("aug_step")
        yield alternative.where, [*steps[:place], step], [*labels[:place], _label(alternative)]


def _label(alternative: Record) -> int:
    kind = alternative.get("aug_type")
    is_rating = type(kind) is int and kind in _RATINGS
    if not is_rating and (not isinstance(kind, str) or kind.strip("+- ").isdigit()):
        raise alternative.error(
            "aug_type", expected="-1, 0, 1 or the name of an error", found=shown(kind)
        )
    return int(kind in (0, 1))
