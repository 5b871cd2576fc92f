"""Entry point `generate_miniature`: questions about true facts, and pools of simulated solutions."""

import logging
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from multirm.data.miniature.drills import DRILL_QUESTION, draw_drill
from multirm.data.miniature.open_questions import without_options
from multirm.data.miniature.policies import Solution, solve
from multirm.data.miniature.questions import Question, check_category, draw_questions, question_row
from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import Count, Fraction, Seed
from multirm.running.provenance import origin_of
from multirm.running.randomness import item_generator
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS, Split
from multirm.tables.solutions import SOLUTIONS, Policy
from multirm.text.answers import outcome_label
from multirm.text.labels import flipped

logger = logging.getLogger(__name__)


@entry
def generate_miniature(
    category: str,
    dataset: str,
    policy: Policy,
    split: Split,
    questions: Count,
    solutions: Count,
    label_noise: Fraction,
    seed: Seed,
    output_questions: OutputFile,
    output_solutions: OutputFile,
    *,
    open_questions: bool = False,
) -> None:
    """Write one category of the miniature: questions, and pools of solutions with known step labels.

    Args:
        category: business, chemistry, computer_science or history.
        dataset: dataset name for the rows.
        policy: who writes the solutions; the tutor writes drills, which have labels but no answers.
        split: splits share no questions; all policies except the tutor get the same questions of a split.
        questions: number of questions.
        solutions: number of solutions per question.
        label_noise: probability that a label is flipped, independently for each step label and outcome label.
        seed: seed of the study.
        output_questions: questions table.
        output_solutions: solutions table.
        open_questions: leave the options out; answers are then their texts instead of letters.
    """
    wanted = _Wanted(category, dataset, policy, split, questions, solutions, label_noise, seed)
    write_rows = _drills if policy is Policy.TUTOR else _pools
    question_rows, solution_rows = write_rows(wanted)
    parameters = asdict(wanted)
    if open_questions:
        parameters["open_questions"] = True
        options = {row["question_id"]: row["options"] for row in question_rows}
        question_rows = [without_options(row, options) for row in question_rows]
        solution_rows = [without_options(row, options) for row in solution_rows]
    origin = origin_of(__name__, parameters, [])
    parquet.write_together(
        [
            (output_questions, QUESTIONS, question_rows),
            (output_solutions, SOLUTIONS, solution_rows),
        ],
        origin,
    )
    right = sum(row["outcome"] == 1 for row in solution_rows)
    logger.info(
        "%s, %s: %d solutions to %d questions, %d labelled right",
        dataset, category, len(solution_rows), len(question_rows), right,
    )  # fmt: skip


def check_miniature(
    category: str, policy: Policy | None, split: Split, questions: int, seed: int
) -> None:
    """Check that a category has enough questions for `generate_miniature`, or without a policy, for questions alone.

    Raises:
        InputError: there is no such category, or it has fewer different questions.
    """
    if policy is Policy.TUTOR:
        check_category(category)
    else:
        draw_questions(category, split, questions, seed)


@dataclass(frozen=True)
class _Wanted:
    """The arguments of `generate_miniature` that decide what is written."""

    category: str
    dataset: str
    policy: Policy
    split: Split
    questions: int
    solutions: int
    label_noise: float
    seed: int

    def key(self, index: int) -> dict[str, str]:
        """The key columns of a question."""
        question_id = f"{self.split}-{index:04}"
        return {"dataset": self.dataset, "category": self.category, "question_id": question_id}

    def generator(self, what: str, index: int, solution_id: int) -> np.random.Generator:
        """The generator of one solution."""
        return item_generator(
            self.seed, what, self.policy, self.category, self.split, index, solution_id
        )


def _pools(wanted: _Wanted) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of questions, and of the policy's solutions."""
    question_rows = []
    solution_rows = []
    drawn = draw_questions(wanted.category, wanted.split, wanted.questions, wanted.seed)
    for index, question in enumerate(drawn):
        row = question_row(wanted.dataset, wanted.category, wanted.split, index, question)
        question_rows.append(row)
        asked = {name: value for name, value in row.items() if name != "options"}
        for solution_id in range(wanted.solutions):
            rng = wanted.generator("solution", index, solution_id)
            solution = solve(question, wanted.policy, rng)
            written = _solution_row(question, solution, wanted.label_noise, rng)
            solution_rows.append({**asked, "solution_id": solution_id, **written})
    return question_rows, solution_rows


def _solution_row(
    question: Question, solution: Solution, label_noise: float, rng: np.random.Generator
) -> dict[str, Any]:
    outcome = outcome_label(solution.parsed_answer, question.answer)
    noisy = flipped([*solution.step_labels, outcome], label_noise, rng)
    return {
        "steps": solution.steps,
        "parsed_answer": solution.parsed_answer,
        "outcome": noisy[-1],
        "step_labels": noisy[:-1],
    }


def _drills(wanted: _Wanted) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of drills: one question, whose "solutions" differ in their statements."""
    question_rows = []
    solution_rows = []
    for index in range(wanted.questions):
        asked = wanted.key(index) | {"question": DRILL_QUESTION, "answer": None}
        question_rows.append({**asked, "options": None})
        for solution_id in range(wanted.solutions):
            rng = wanted.generator("drill", index, solution_id)
            drill = draw_drill(wanted.category, rng)
            row = {
                "steps": drill.statements,
                "parsed_answer": None,
                "outcome": None,
                "step_labels": flipped(drill.labels, wanted.label_noise, rng),
            }
            solution_rows.append({**asked, "solution_id": solution_id, **row})
    return question_rows, solution_rows
