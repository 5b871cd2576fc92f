"""Pretraining examples for a small backbone, in the formats that it will be fine-tuned on.

Solutions are in the discriminative format, critiques in the generative formats, and conversations as a chat.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from multirm.models.batching import batches
from multirm.running.randomness import item_generator
from multirm.tables.conversations import ChatTask
from multirm.text.encoding import (
    encode_critique,
    encode_reply,
    encode_solution,
    step_candidates,
)
from multirm.text.prompts import Template, solution_prompt
from multirm.training.examples import UNLABELLED
from multirm.training.steps import Step

Row = Mapping[str, Any]

# A model learns to compare claims with facts early if there are few facts, and late if there are many. So the groups
# of solutions join one by one over the first part of the run, with the longest time for the first one, and critiques
# join once all groups have.
CURRICULUM = 0.3
# The loss weight of step marks, critiques and judges' replies, which judge correctness; other text has weight 1.
JUDGEMENT_WEIGHT = 3.0
LOGGED_POINTS = 20


@dataclass(frozen=True)
class PretrainingExample:
    """A text to train on.

    Attributes:
        ids: its tokens.
        labels: the token to predict after each of them, or `UNLABELLED`.
        weights: the loss weight of each prediction.
        joins: the fraction of the run, in [0, 1), from which on it is used.
    """

    ids: list[int]
    labels: list[int]
    weights: list[float]
    joins: float

    @property
    def n_tokens(self) -> int:
        """Its length."""
        return len(self.ids)

    @property
    def count(self) -> float:
        """The sum of the weights of its predictions."""
        return math.fsum(
            weight
            for weight, label in zip(self.weights, self.labels, strict=True)
            if label != UNLABELLED
        )


def examples_of_solutions(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]
) -> list[PretrainingExample]:
    """Solutions in the discriminative format, to predict the steps' text, and + or - at labelled step ends.

    There is no loss on questions, which cannot be predicted, or on incorrect steps, which the model should judge but
    not write. The solutions of one dataset and category join the run together, one group after the other.
    """
    groups = list(dict.fromkeys(_group(row) for row in rows))
    examples = []
    for row in rows:
        encoded = encode_solution(tokenizer, row["question"], row["steps"])
        asked = len(encode_solution(tokenizer, row["question"], []).ids)
        labels = [UNLABELLED] * (asked - 1) + encoded.ids[asked:] + [UNLABELLED]
        weights = [1.0] * len(labels)
        starts = [asked - 1, *encoded.step_ends]
        for start, end, label in zip(
            starts, encoded.step_ends, row["step_labels"] or [], strict=False
        ):
            if not label:
                labels[start:end] = [UNLABELLED] * (end - start)
        _mark_steps(tokenizer, labels, weights, encoded.step_ends, row["step_labels"])
        joins = CURRICULUM * math.sqrt(groups.index(_group(row)) / len(groups))
        examples.append(PretrainingExample(encoded.ids, labels, weights, joins))
    return examples


def examples_of_critiques(
    tokenizer: PreTrainedTokenizerBase, template: Template, pairs: Sequence[tuple[Row, Row]]
) -> list[PretrainingExample]:
    """Critiques after their prompts, to predict the critique's text, and + or - at the step ends of the prompt.

    So the step ends of a prompt carry the same information as those of a solution, and the critique only has to
    read it there. The prompt shows all steps, even for gPRM: if it stopped at the first incorrect step, the missing
    answer would give the verdict away.

    Args:
        pairs: rows of a critiques table, each with the row of its solution.
    """
    examples = []
    for critique, row in pairs:
        prompt = solution_prompt(template, row, row["steps"])
        encoded = encode_critique(tokenizer, prompt, critique["critique"])
        completion = encoded.ids[encoded.n_prompt :]
        labels = [UNLABELLED] * (encoded.n_prompt - 1) + completion + [UNLABELLED]
        weights = [JUDGEMENT_WEIGHT] * len(labels)
        ends = _step_ends(tokenizer, encoded.ids[: encoded.n_prompt], row)
        _mark_steps(tokenizer, labels, weights, ends, row["step_labels"])
        examples.append(PretrainingExample(encoded.ids, labels, weights, CURRICULUM))
    return examples


def examples_of_conversations(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]
) -> list[PretrainingExample]:
    """Conversations, to predict the reply and the assistant's earlier turns, such as worked examples.

    Args:
        rows: rows of a conversations table.
    """
    examples = []
    for row in rows:
        texts = [*row["turns"], row["reply"]]
        ids: list[int] = []
        labels: list[int] = []
        for end in range(1, len(texts), 2):
            # With the chat template of a pretrained backbone, these tokens start with those before.
            encoded = encode_reply(tokenizer, texts[:end], texts[end])
            given = encoded.n_prompt - 1 - len(labels)
            labels += [UNLABELLED] * given + encoded.ids[encoded.n_prompt :]
            ids = encoded.ids
        labels.append(UNLABELLED)
        weight = JUDGEMENT_WEIGHT if row["task"] == ChatTask.JUDGE else 1.0
        examples.append(PretrainingExample(ids, labels, [weight] * len(ids), CURRICULUM))
    return examples


def pretraining_steps(
    examples: Sequence[PretrainingExample],
    tokens: int,
    batch_tokens: int,
    learning_rate: float,
    seed: int,
) -> list[Step[PretrainingExample]]:
    """The steps of a run over `tokens` tokens, twenty of which are points of the learning curve.

    The learning rate warms up over a twentieth of the run and then falls linearly. An epoch is as many tokens as
    the examples have.

    Args:
        learning_rate: peak learning rate.
    """
    total = sum(example.n_tokens for example in examples)
    steps: list[Step[PretrainingExample]] = []
    n_logged = 0
    for before, batch in draw_batches(examples, tokens, batch_tokens, seed):
        n_tokens = sum(example.n_tokens for example in batch)
        after = before + n_tokens / tokens
        is_logged = after >= (n_logged + 1) / LOGGED_POINTS
        n_logged += is_logged
        steps.append(
            Step(
                parts=[batch],
                count=math.fsum(example.count for example in batch),
                n_tokens=n_tokens,
                learning_rate=learning_rate * min(before * 20 + 0.02, (1 - before) / 0.95, 1),
                epoch=after * tokens / total,
                is_logged=is_logged,
            )
        )
    return steps


def draw_batches(
    examples: Sequence[PretrainingExample], tokens: int, batch_tokens: int, seed: int
) -> Iterator[tuple[float, list[PretrainingExample]]]:
    """Draw batches until `tokens` tokens have been drawn, each with the fraction drawn before it.

    A batch has at most `batch_tokens` tokens, padding included. Batches come from passes over the examples that
    have joined; a pass is cut short when more examples join.
    """
    joining = sorted({example.joins for example in examples})
    seen = passes = 0
    while seen < tokens:
        share = max(seen / tokens, joining[0])
        joined = [example for example in examples if example.joins <= share]
        until = min((other for other in joining if other > share), default=1.0) * tokens
        for batch in _one_pass(joined, batch_tokens, item_generator(seed, "batches", passes)):
            yield seen / tokens, batch
            seen += sum(len(example.ids) for example in batch)
            if seen >= until:
                break
        passes += 1


def _one_pass(
    examples: Sequence[PretrainingExample], batch_tokens: int, rng: np.random.Generator
) -> list[list[PretrainingExample]]:
    """All examples once, in batches of similar lengths, in random order."""
    shuffled = [examples[i] for i in rng.permutation(len(examples))]
    found = list(batches([len(example.ids) for example in shuffled], batch_tokens))
    return [[shuffled[k] for k in found[i]] for i in rng.permutation(len(found))]


def _group(row: Row) -> tuple[str, str]:
    return row["dataset"], row["category"]


def _mark_steps(
    tokenizer: PreTrainedTokenizerBase,
    labels: list[int],
    weights: list[float],
    ends: Sequence[int],
    step_labels: Sequence[int] | None,
) -> None:
    """Set the label at each step end to + or -, or to `UNLABELLED` if step labels are unknown."""
    candidates = step_candidates(tokenizer)
    marks = (
        [UNLABELLED] * len(ends)
        if step_labels is None
        else [candidates[label] for label in step_labels]
    )
    for end, mark in zip(ends, marks, strict=True):
        labels[end] = mark
        weights[end] = JUDGEMENT_WEIGHT


def _step_ends(tokenizer: PreTrainedTokenizerBase, prompt: Sequence[int], row: Row) -> list[int]:
    """The index in a prompt of the token in which each step ends."""
    text = tokenizer.decode(prompt)
    spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True).offset_mapping
    starts = [start for start, _ in spans]
    place = text.index(row["question"]) + len(row["question"])
    ends = []
    for step in row["steps"]:
        place = text.index(step, place) + len(step)
        ends.append(bisect_left(starts, place) - 1)
    return ends
