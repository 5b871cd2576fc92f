"""What a backbone learns from: solutions in the discriminative format, critiques in the generative ones.

So fine-tuning meets nothing that the backbone has not seen the like of.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from multirm.generation.verification import solution_prompt
from multirm.models.batching import batches
from multirm.running.randomness import item_generator
from multirm.text.encoding import encode_critique, encode_solution, step_candidates
from multirm.text.prompts import Template

Row = Mapping[str, Any]

NO_LOSS = -100

# Comparing what is said with what is known takes off soon on few facts and late on many. So the groups
# of solutions join one by one over the first part of the training, the first staying alone the longest,
# and critiques join once all are there.
CURRICULUM = 0.3
# Of marks and critiques in the loss, which say whether something is right, against 1 for other text.
JUDGEMENT_WEIGHT = 3.0


@dataclass(frozen=True)
class Lesson:
    """A text to learn.

    Attributes:
        ids: its tokens.
        targets: for each token the one to be predicted after it, or NO_LOSS.
        weights: for each token the weight of that prediction in the loss.
        joins: the share of the training, in [0, 1), from which on it is shown.
    """

    ids: list[int]
    targets: list[int]
    weights: list[float]
    joins: float


def solution_lessons(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]) -> list[Lesson]:
    """Solutions in the discriminative format: steps are continued, known step ends are marked + or -.

    Neither questions, which nobody can foresee, nor steps that are known to be incorrect carry a loss:
    what is wrong is to be judged, and not to be believed. Solutions of one dataset and category join the
    training together, one group after the other.
    """
    groups = list(dict.fromkeys(_group(row) for row in rows))
    lessons = []
    for row in rows:
        encoded = encode_solution(tokenizer, row["question"], row["steps"])
        asked = len(encode_solution(tokenizer, row["question"], []).ids)
        targets = [NO_LOSS] * (asked - 1) + encoded.ids[asked:] + [NO_LOSS]
        weights = [1.0] * len(targets)
        starts = [asked - 1, *encoded.step_ends]
        for start, end, label in zip(
            starts, encoded.step_ends, row["step_labels"] or [], strict=False
        ):
            if not label:
                targets[start:end] = [NO_LOSS] * (end - start)
        _mark_steps(tokenizer, targets, weights, encoded.step_ends, row["step_labels"])
        joins = CURRICULUM * math.sqrt(groups.index(_group(row)) / len(groups))
        lessons.append(Lesson(encoded.ids, targets, weights, joins))
    return lessons


def critique_lessons(
    tokenizer: PreTrainedTokenizerBase, template: Template, pairs: Sequence[tuple[Row, Row]]
) -> list[Lesson]:
    """Critiques to be written after their prompts, in which the step ends are marked + or - as well.

    So the step ends of a prompt come to say what those of a solution say, and the critique has only
    to read it there. The prompt shows all steps, also to gPRM: where it stopped at the first incorrect
    step, a missing answer would give the verdict away, and the model would learn to look for that.

    Args:
        pairs: rows of a critiques table, each with the row of its solution.
    """
    lessons = []
    for critique, row in pairs:
        prompt = solution_prompt(template, row, row["steps"])
        encoded = encode_critique(tokenizer, prompt, critique["critique"])
        completion = encoded.ids[encoded.n_prompt :]
        targets = [NO_LOSS] * (encoded.n_prompt - 1) + completion + [NO_LOSS]
        weights = [JUDGEMENT_WEIGHT] * len(targets)
        ends = _step_ends(tokenizer, encoded.ids[: encoded.n_prompt], row)
        _mark_steps(tokenizer, targets, weights, ends, row["step_labels"])
        lessons.append(Lesson(encoded.ids, targets, weights, CURRICULUM))
    return lessons


def draw_batches(
    lessons: Sequence[Lesson], tokens: int, batch_tokens: int, seed: int
) -> Iterator[tuple[float, list[Lesson]]]:
    """Batches until `tokens` tokens have been drawn, each with the share of them that went before it.

    A batch holds at most `batch_tokens` tokens, padding included. Passes over the lessons that have
    joined follow each other; a pass is cut short when others join.
    """
    joining = sorted({lesson.joins for lesson in lessons})
    seen = passes = 0
    while seen < tokens:
        share = max(seen / tokens, joining[0])
        joined = [lesson for lesson in lessons if lesson.joins <= share]
        until = min((other for other in joining if other > share), default=1.0) * tokens
        for batch in _one_pass(joined, batch_tokens, item_generator(seed, "batches", passes)):
            yield seen / tokens, batch
            seen += sum(len(lesson.ids) for lesson in batch)
            if seen >= until:
                break
        passes += 1


def _one_pass(
    lessons: Sequence[Lesson], batch_tokens: int, rng: np.random.Generator
) -> list[list[Lesson]]:
    """All lessons once, in batches of like length and in random order."""
    shuffled = [lessons[i] for i in rng.permutation(len(lessons))]
    found = list(batches([len(lesson.ids) for lesson in shuffled], batch_tokens))
    return [[shuffled[k] for k in found[i]] for i in rng.permutation(len(found))]


def _group(row: Row) -> tuple[str, str]:
    return row["dataset"], row["category"]


def _mark_steps(
    tokenizer: PreTrainedTokenizerBase,
    targets: list[int],
    weights: list[float],
    ends: Sequence[int],
    labels: Sequence[int] | None,
) -> None:
    """Make + or - the target at each step end, or nothing where the labels are not known."""
    candidates = step_candidates(tokenizer)
    marks = [NO_LOSS] * len(ends) if labels is None else [candidates[label] for label in labels]
    for end, mark in zip(ends, marks, strict=True):
        targets[end] = mark
        weights[end] = JUDGEMENT_WEIGHT


def _step_ends(tokenizer: PreTrainedTokenizerBase, prompt: Sequence[int], row: Row) -> list[int]:
    """The place in a prompt of the token in which each step ends."""
    text = tokenizer.decode(prompt)
    spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True).offset_mapping
    starts = [start for start, _ in spans]
    place = text.index(row["question"]) + len(row["question"])
    ends = []
    for step in row["steps"]:
        place = text.index(step, place) + len(step)
        ends.append(bisect_left(starts, place) - 1)
    return ends
