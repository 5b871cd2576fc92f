"""Entry point `demonstrate_task`: write conversations from known solutions, to teach a backbone the tasks of a chat.

The miniature's backbone learns them in pretraining, and can then make the data of a study as a large chat model would.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from multirm.data.miniature.check import questions_of
from multirm.data.miniature.mistakes import mistakes
from multirm.data.miniature.wording import reworded
from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import CountOrZero, Seed
from multirm.running.provenance import origin_of
from multirm.running.randomness import item_generator
from multirm.tables import parquet
from multirm.tables.augmentations import AugmentationKind
from multirm.tables.conversations import CONVERSATIONS, ChatTask
from multirm.tables.critique_rows import solution_key
from multirm.tables.solutions import SOLUTIONS
from multirm.text.augmenting import (
    augment_template_file,
    counterfactual_turn,
    load_augment_template,
    rewritable_steps,
    rewrite_turn,
    well_formed_counterfactual,
)
from multirm.text.judging import (
    judge_template_file,
    judge_turn,
    load_judge_template,
    well_formed_judgement,
)
from multirm.text.labels import first_incorrect
from multirm.text.solving import (
    choose_exemplars,
    join_steps,
    load_solve_templates,
    solve_template_files,
    solve_turns,
)

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]


@entry
def demonstrate_task(
    task: ChatTask, solutions: Path, output: OutputFile, seed: Seed, shots: CountOrZero = 1
) -> None:
    """Write a conversation about each solution, in the form in which a chat model is asked to do a task.

    Args:
        task: solve; judge, with the reference answer; counterfactual, about correct solutions; or rewrite. The last
            two are only known for the miniature's questions.
        solutions: solutions table; solutions that lack what the task needs, such as step labels or an answer, get no
            row.
        output: conversations table.
        seed: seed of the study.
        shots: solve only: exemplars before the question, drawn for each conversation from the correct solutions of the
            table.

    Raises:
        InputError: for solve, a category lacks exemplars; for counterfactual and rewrite, a question is not the
            miniature's.
    """
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    match task:
        case ChatTask.SOLVE:
            files, conversations = (
                list(solve_template_files()),
                _solving(rows, shots, seed, solutions),
            )
        case ChatTask.JUDGE:
            files, conversations = [judge_template_file(reference=True)], _judging(rows)
        case ChatTask.COUNTERFACTUAL:
            files = [augment_template_file(AugmentationKind.COUNTERFACTUAL)]
            conversations = _making_mistakes(rows, seed, solutions)
        case ChatTask.REWRITE:
            files = [augment_template_file(AugmentationKind.REWRITE)]
            conversations = _rewriting(rows, seed)
    written = [
        {**solution_key(row), "task": task, "turns": turns, "reply": reply}
        for row, turns, reply in conversations
    ]
    parameters = {"task": task, "seed": seed} | ({"shots": shots} if task is ChatTask.SOLVE else {})
    parquet.write(
        output, CONVERSATIONS, written, origin_of(__name__, parameters, [solutions, *files])
    )
    logger.info("%d conversations from %d solutions", len(written), len(rows))


Conversations = Iterator[tuple[Row, list[str], str]]
"""Solutions, each with turns and the reply to them."""


def _solving(rows: Sequence[Row], shots: int, seed: int, where: Path) -> Conversations:
    """Exemplars and the question, and the solution as the reply."""
    templates = load_solve_templates(*solve_template_files())
    for row in rows:
        if row["answer"] is not None:
            drawn = _generator(seed, ChatTask.SOLVE, row)
            shuffled = (rows[place] for place in drawn.permutation(len(rows)))
            exemplars = choose_exemplars(shuffled, row, shots, where)
            yield row, solve_turns(templates, exemplars, row), join_steps(row["steps"])


def _judging(rows: Sequence[Row]) -> Conversations:
    """A solution, and a reply that names its first incorrect step."""
    template = load_judge_template(judge_template_file(reference=True), reference=True)
    for row in rows:
        if row["answer"] is not None and row["step_labels"] is not None:
            error = first_incorrect(row["step_labels"])
            yield row, [judge_turn(template, row)], well_formed_judgement(error, len(row["steps"]))


def _making_mistakes(rows: Sequence[Row], seed: int, where: Path) -> Conversations:
    """A correct solution and a type of error, and a reply with a mistake of this type.

    The type is drawn first, so that all types that fit some step are about as common.
    """
    template = load_augment_template(AugmentationKind.COUNTERFACTUAL)
    # Drills have no answers: they ask no question of the miniature.
    correct = [
        row
        for row in rows
        if row["answer"] is not None and row["step_labels"] and all(row["step_labels"])
    ]
    questions = dict(sorted(questions_of(where, correct, seed).items()))
    for row in correct:
        drawn = _generator(seed, ChatTask.COUNTERFACTUAL, row)
        others = [
            other
            for (category, name), other in questions.items()
            if category == row["category"] and name != row["question_id"]
        ]
        question = questions[row["category"], row["question_id"]]
        other = others[int(drawn.integers(len(others)))] if others else question
        found = mistakes(question, row["steps"], other)
        types = list(dict.fromkeys(each.error_type for each in found))
        if not types:
            continue
        error_type = types[int(drawn.integers(len(types)))]
        fitting = [each for each in found if each.error_type is error_type]
        step = fitting[int(drawn.integers(len(fitting)))].step
        at_step = [each.text for each in fitting if each.step == step]
        text = at_step[int(drawn.integers(len(at_step)))]
        explanation = f"Right is: {row['steps'][step]}"
        reply = well_formed_counterfactual(step, error_type, text, explanation)
        yield row, [counterfactual_turn(template, row, error_type)], reply


def _rewriting(rows: Sequence[Row], seed: int) -> Conversations:
    """The beginning of a solution, and its last step in other words as the reply."""
    template = load_augment_template(AugmentationKind.REWRITE)
    for row in rows:
        steps = [step for step in rewritable_steps(row) if reworded(row["steps"][step])]
        if steps:
            drawn = _generator(seed, ChatTask.REWRITE, row)
            step = steps[int(drawn.integers(len(steps)))]
            yield row, [rewrite_turn(template, row, step)], reworded(row["steps"][step]) or ""


def _generator(seed: int, task: ChatTask, row: Row) -> np.random.Generator:
    return item_generator(seed, "demonstration", task, *solution_key(row).values())
