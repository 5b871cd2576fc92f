"""Train dORM or dPRM, which predict the probability that a step is correct at the step's last token."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from multirm.errors import InputError
from multirm.models.load import load_tokenizer
from multirm.running.arguments import AdapterFolder, OutputFile, Place, entry
from multirm.running.numbers import Count
from multirm.tables import parquet
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.text.encoding import EncodedSolution, encode_solution, step_candidates
from multirm.text.labels import first_incorrect
from multirm.training.examples import UNLABELLED, Example, Tally
from multirm.training.fine_tuning import train_adapter
from multirm.training.objectives import prediction
from multirm.training.processes import share_batch
from multirm.training.recipe import Recipe

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DiscriminativeRecipe(Recipe):
    """Training settings of dORM and dPRM; the defaults are Multi-RM's (arXiv 2510.00492)."""

    schedule = "cosine"
    max_length: Count = 650
    rank: Count = 16
    alpha: Count = 32


RECIPE = DiscriminativeRecipe()


@entry
def train_discriminative(
    kind: Kind,
    name: str,
    backbone: Place,
    solutions: list[Path],
    output: AdapterFolder,
    curve: OutputFile,
    examples: OutputFile,
    recipe: DiscriminativeRecipe = RECIPE,
) -> None:
    """Train a discriminative reward model: a LoRA adapter on a backbone.

    Args:
        kind: dORM (one label, at the last step) or dPRM (one per step, up to the first incorrect one).
        name: name of the reward model in the tables.
        backbone: model folder or hub name.
        solutions: tables of labelled solutions.
        output: folder for the adapter and its tokenizer.
        curve: table of loss and learning rate.
        examples: table with the numbers of solutions per category that were used or left out.
        recipe: training settings.
    """
    if kind.is_generative:
        raise InputError("kind", expected="dORM or dPRM", found=kind)
    share_batch(recipe.batch_size, recipe.device_batch_size)
    rows = parquet.read_all(solutions, SOLUTIONS).to_pylist()
    tokenizer = load_tokenizer(backbone)
    candidates = step_candidates(tokenizer)
    labelled, tally = label_solutions(kind, tokenizer, rows, recipe.max_length)
    train_adapter(
        prediction(candidates),
        labelled,
        tally,
        recipe,
        kind=kind,
        name=name,
        backbone=backbone,
        tokenizer=tokenizer,
        questions=(row["question"] for row in rows),
        made_by=__name__,
        inputs=solutions,
        output=output,
        curve=curve,
        counts=examples,
    )


def label_solutions(
    kind: Kind,
    tokenizer: PreTrainedTokenizerBase,
    rows: Iterable[Mapping[str, Any]],
    max_length: int,
) -> tuple[list[Example], Tally]:
    """Make training examples from rows of a solutions table, and count the rows by what became of them.

    An example ends with its last label, as in VersaPRM (arXiv 2502.06737): for dPRM, at the first incorrect
    step. Examples that are still over `max_length` tokens are left out. An example without incorrect labels is
    positive.
    """
    examples, tally = [], Tally()
    for row in rows:
        category = row["category"]
        labels = step_targets(kind, row["outcome"], row["step_labels"], len(row["steps"]))
        if labels is None:
            tally.unlabelled[category] += 1
            continue
        encoded = encode_solution(tokenizer, row["question"], row["steps"][: max(labels) + 1])
        if len(encoded.ids) > max_length:
            tally.too_long[category] += 1
            continue
        tally.used[category] += 1
        tally.positive[category] += 0 not in labels.values()
        examples.append(_place_labels(encoded, labels))
    return examples, tally


def step_targets(
    kind: Kind, outcome: int | None, step_labels: list[int] | None, n_steps: int
) -> dict[int, int] | None:
    """The training labels, by the step's 0-based position; None if labels are unknown.

    dORM learns the outcome, at the last step; dPRM learns the step labels up to and including the first incorrect
    one, after which "correct" has no meaning.
    """
    if kind is Kind.DORM:
        return None if outcome is None else {n_steps - 1: outcome}
    if step_labels is None:
        return None
    first = first_incorrect(step_labels)
    learned = step_labels if first is None else step_labels[: first + 1]
    return dict(enumerate(learned))


def _place_labels(encoded: EncodedSolution, labels: Mapping[int, int]) -> Example:
    placed = [UNLABELLED] * len(encoded.ids)
    for step, label in labels.items():
        placed[encoded.step_ends[step]] = label
    return Example.of(encoded.ids, placed)
