"""Entry point `augment_steps`: have a language model write single steps of solutions anew.

Both kinds are VersaPRM's (arXiv 2502.06737):

- *counterfactual*: a wrong step instead of a step of a solution whose steps are all labelled correct. Each request
  asks for one type of error, and the model chooses the step.
- *rewrite*: a labelled step in other words, which keeps its label. The step is drawn at random.

A variant consists of the steps before the new one and the new one, where it ends: what followed in the solution goes
on from the old step. Only the new step has a row in the table of labels, so that training on it does not count the
steps before it again, which are learned from the solution itself.

The differences from VersaPRM's code: types are balanced, steps are numbered from 0, and a reply is checked before it
is used. A reply that names another type than asked is used under the type that it names: the step is as wrong, and
nothing learns from types. A rewrite with other numbers is rejected: it does not mean the same.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Prompt
from multirm.generation.chat_jobs import ChatModel
from multirm.generation.options import GenerationOptions
from multirm.generation.prompts import conversation_prompt
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.numbers import Count, PositiveOrZero
from multirm.running.randomness import item_generator, item_seed
from multirm.tables import parquet
from multirm.tables.augmentations import (
    AUGMENTATIONS,
    AugmentationKind,
    AugmentationReason,
    ErrorType,
)
from multirm.tables.labels import LABELS, LabelSource, label_rows
from multirm.tables.solutions import SOLUTIONS, SOLUTIONS_IF_ANY
from multirm.text.answers import outcome_label
from multirm.text.augmenting import (
    GENERAL_TYPES,
    MATHEMATICAL_TYPES,
    NewStep,
    augment_template_file,
    counterfactual_turn,
    load_augment_template,
    normalised,
    numbers_in,
    parse_counterfactual,
    parse_rewrite,
    rewritable_steps,
    rewrite_turn,
    without_label,
)
from multirm.text.labels import split_steps
from multirm.text.solving import Asked, parse_answer

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class WriterOptions(GenerationOptions):
    """The options of VersaPRM's writer, Llama-3.1-70B-Instruct (arXiv 2502.06737)."""

    max_tokens: Count = 2048
    temperature: PositiveOrZero = 0.4


@dataclass(frozen=True)
class Asking:
    """A request for a new step.

    Attributes:
        solution: a row of a solutions table.
        number: of the request, among those about the solution.
        error_type: for a counterfactual.
        step: to rewrite.
    """

    solution: Row
    number: int
    error_type: ErrorType | None = None
    step: int | None = None


@entry
def augment_steps(
    solutions: Path,
    model: Place,
    kind: AugmentationKind,
    dataset: str,
    output: OutputFile,
    output_labels: OutputFile,
    output_augmentations: OutputFile,
    options: WriterOptions,
    per_solution: Count = 2,
    math: list[str] | None = None,
) -> None:
    """Write variants of solutions, each with a new last step: a wrong one, or one that means the same as the old one.

    Replies that cannot be used are rejected and counted by reason. A killed job resumes where it stopped.

    Args:
        solutions: solutions table with step labels. Without them, and for counterfactuals with any incorrect step or
            a wrong answer, nothing is asked about a solution.
        model: model folder or hub name.
        kind: counterfactual or rewrite.
        dataset: dataset name for the variants.
        output: solutions table of the variants alone.
        output_labels: labels table of the variants' new steps.
        output_augmentations: table of all replies, also of rejected ones.
        options: sampling options.
        per_solution: requests per solution; rewrites are of different steps, of which there may be fewer.
        math: categories in which counterfactuals are also asked for wrong calculations and equations.

    Raises:
        InputError: the model cannot be used.
    """
    rows = parquet.read(solutions, SOLUTIONS_IF_ANY).to_pylist()
    writer = ChatModel.load(model, options)
    template = load_augment_template(kind)
    if kind is AugmentationKind.COUNTERFACTUAL:
        asked = ask_counterfactuals(rows, per_solution, math or [], options.seed)
    else:
        asked = ask_rewrites(rows, per_solution, options.seed)
    prompts = augment_prompts(writer.tokenizer, template, asked)
    parameters = {
        "kind": kind,
        "dataset": dataset,
        "per_solution": per_solution,
        "math": sorted(math or []),
        "template": template,
    }
    inputs = [solutions, augment_template_file(kind)]
    with writer.job(output, __name__, "model", parameters, inputs) as job:
        replies = [reply for [reply] in job.ask(prompts, 1, done="augmented", items="steps")]
        every = list(augmentation_rows(kind, dataset, per_solution, asked, replies))
        variants = _variants(rows, every)
        tables = [
            (output, SOLUTIONS, variants),
            (output_labels, LABELS, [_label(each) for each in variants]),
            (output_augmentations, AUGMENTATIONS, every),
        ]
        job.write(tables)
    _report(rows, asked, every)


def ask_counterfactuals(
    rows: Sequence[Row], per_solution: int, math: Iterable[str], seed: int
) -> list[Asking]:
    """The requests about solutions whose steps are all labelled correct, and whose answers are not wrong.

    In each category, the types take turns in a random order, over its solutions in a random order. So the numbers of
    requests for two types differ by at most one, and requests about one solution are for different types, as far as
    there are enough.
    """
    mathematical = set(math)
    correct = [
        row
        for row in rows
        if row["step_labels"] and all(row["step_labels"]) and row["outcome"] != 0
    ]
    mixed = sorted(correct, key=lambda row: item_seed(seed, "counterfactual", *_key(row)))
    seen: Counter[str] = Counter()
    asked = {}
    for row in mixed:
        category = row["category"]
        types = MATHEMATICAL_TYPES if category in mathematical else GENERAL_TYPES
        order = item_generator(seed, "error types", category).permutation(len(types))
        turns = range(seen[category], seen[category] + per_solution)
        asked[_key(row)] = [types[order[turn % len(types)]] for turn in turns]
        seen[category] += per_solution
    return [
        Asking(row, number, error_type=error_type)
        for row in correct
        for number, error_type in enumerate(asked[_key(row)])
    ]


def ask_rewrites(rows: Sequence[Row], per_solution: int, seed: int) -> list[Asking]:
    """The requests about different, randomly drawn steps of each labelled solution."""
    asked = []
    for row in rows:
        steps = item_generator(seed, "rewrite", *_key(row)).permutation(rewritable_steps(row))
        asked += [
            Asking(row, number, step=int(step)) for number, step in enumerate(steps[:per_solution])
        ]
    return asked


def augment_prompts(
    tokenizer: PreTrainedTokenizerBase, template: str, asked: Iterable[Asking]
) -> list[Prompt]:
    """A prompt per request.

    Raises:
        InputError: the tokenizer has no usable chat template.
    """
    prompts = []
    for each in asked:
        if each.error_type is not None:
            turn = counterfactual_turn(template, each.solution, each.error_type)
        else:
            turn = rewrite_turn(template, each.solution, each.step or 0)
        key = ("augment", *_key(each.solution), each.number)
        prompts.append(conversation_prompt(tokenizer, key, [turn]))
    return prompts


def augmentation_rows(
    kind: AugmentationKind,
    dataset: str,
    per_solution: int,
    asked: Sequence[Asking],
    replies: Sequence[Row],
) -> Iterator[dict[str, Any]]:
    """Rows of the augmentations table, of which those without a reason become variants.

    Args:
        dataset: of the variants.
        per_solution: requests per solution; a variant's id says which solution and request it comes from.
        replies: to the requests, as from `texts_of`.
    """
    accepted: dict[tuple[Any, ...], set[str]] = {}
    for each, reply in zip(asked, replies, strict=True):
        key = _key(each.solution)
        new = read_new_step(each, reply)
        if new.reason is None:
            others = accepted.setdefault((*key, new.step), set())
            if normalised(new.text or "") in others:
                new = replace(new, reason=AugmentationReason.DUPLICATE)
            others.add(normalised(new.text or ""))
        variant_id = each.solution["solution_id"] * per_solution + each.number
        yield {
            **dict(zip(SOLUTIONS.key, key, strict=True)),
            "request": each.number,
            "kind": kind,
            "n_steps": len(each.solution["steps"]),
            "asked_type": each.error_type,
            **asdict(new),
            "reply": reply["text"],
            "n_tokens_read": reply["n_tokens_read"],
            "n_tokens_generated": reply["n_tokens_generated"],
            "variant_dataset": dataset,
            "variant_id": variant_id if new.reason is None else None,
        }


def read_new_step(asked: Asking, reply: Row) -> NewStep:
    """What a reply says, and the reason why it cannot be used, as far as the reply and its solution tell.

    Args:
        reply: as from `texts_of`.
    """
    if asked.error_type is not None:
        new = parse_counterfactual(reply["text"])
    else:
        new = replace(parse_rewrite(reply["text"]), step=asked.step)
    if reply["given_up"]:
        return replace(new, reason=AugmentationReason.GIVEN_UP)
    if reply["truncated"]:
        return replace(new, reason=AugmentationReason.CUT_OFF)
    steps, step = asked.solution["steps"], new.step
    if new.reason is not None or step is None or new.text is None:
        return new
    if not 0 <= step < len(steps):
        return replace(new, reason=AugmentationReason.OUT_OF_RANGE)
    text = without_label(new.text, steps[step])
    reason = _reason(text, step, steps)
    is_rewrite = asked.error_type is None
    if reason is None and is_rewrite and numbers_in(text) != numbers_in(steps[step]):
        reason = AugmentationReason.OTHER_NUMBERS
    return replace(new, text=text, reason=reason)


def _reason(text: str, step: int, steps: Sequence[str]) -> AugmentationReason | None:
    if not text:
        return AugmentationReason.NO_STEP
    if len(split_steps(text)) > 1:
        return AugmentationReason.SEVERAL_STEPS
    known = [normalised(each) for each in steps]
    if normalised(text) == known[step]:
        return AugmentationReason.UNCHANGED
    return AugmentationReason.COPIED if normalised(text) in known else None


def variant(solution: Row, augmentation: Row) -> dict[str, Any]:
    """The row of a solution that ends with a new step.

    It has an answer, and so an outcome, only if the new step gives one.

    Args:
        augmentation: a row of the augmentations table without a reason.
    """
    step, text = augmentation["step"], augmentation["text"]
    is_wrong = augmentation["kind"] == AugmentationKind.COUNTERFACTUAL
    before = list(solution["step_labels"][:step])
    answer = parse_answer(text, Asked.of(solution).n_options)
    reference = solution["answer"]
    known = answer is not None and reference is not None
    return {
        **solution,
        "dataset": augmentation["variant_dataset"],
        "solution_id": augmentation["variant_id"],
        "steps": [*solution["steps"][:step], text],
        "parsed_answer": answer,
        "outcome": outcome_label(answer, reference) if known else None,
        "step_labels": [*before, 0 if is_wrong else solution["step_labels"][step]],
    }


def _variants(solutions: Sequence[Row], augmentations: Sequence[Row]) -> list[dict[str, Any]]:
    by_key = {_key(row): row for row in solutions}
    accepted = [row for row in augmentations if row["variant_id"] is not None]
    return [variant(by_key[_key(row)], row) for row in accepted]


def _label(row: Row) -> dict[str, Any]:
    """The row of the labels table for a variant's last step."""
    columns = [{"label": label} for label in row["step_labels"]]
    return label_rows(row, LabelSource.AUGMENTATION, columns)[-1]


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in SOLUTIONS.key)


def _report(rows: Sequence[Row], asked: Sequence[Asking], augmentations: Sequence[Row]) -> None:
    about = {_key(each.solution) for each in asked}
    logger.info(
        "%d requests about %d solutions; none about %d others, which lack labels or do not qualify",
        len(asked), len(about), len(rows) - len(about),
    )  # fmt: skip
    reasons = Counter(str(row["reason"]) for row in augmentations if row["reason"] is not None)
    told = ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items())) or "none"
    accepted = [row for row in augmentations if row["reason"] is None]
    logger.info("%d variants; rejected: %s", len(accepted), told)
    if other := sum(row["error_type"] != row["asked_type"] for row in accepted):
        logger.info("%d variants name another type of error than asked for", other)
    if not accepted:
        logger.warning("no reply became a variant: look into the table of augmentations")
