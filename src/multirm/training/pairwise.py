"""Train pairwise reward models: from two answers of which one is better, by the Bradley-Terry loss."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from multirm.errors import InputError, one_of
from multirm.models.load import load_tokenizer
from multirm.models.training_method import Method
from multirm.reward_models.base import Solution
from multirm.reward_models.formats import read_format
from multirm.reward_models.layouts import Encoder
from multirm.running.arguments import OutputFile, Place, TunedFolder, entry
from multirm.running.numbers import Count, FractionBelowOne, Positive, PositiveOrZero
from multirm.tables import parquet
from multirm.tables.preferences import PREFERENCES, PreferenceKind
from multirm.tables.reward_models import FormatName
from multirm.tables.schema import Row
from multirm.training.examples import Tally
from multirm.training.fine_tuning import train_reward_model
from multirm.training.networks import Classifier
from multirm.training.preference_pairs import PairExample, bradley_terry
from multirm.training.processes import share_batch
from multirm.training.recipe import Recipe

logger = logging.getLogger(__name__)

FORMATS = (FormatName.PAIRWISE, FormatName.CLASSIFIER)


@dataclass(frozen=True, kw_only=True)
class PairwiseRecipe(Recipe):
    """Training settings of pairwise reward models; the defaults are OpenPRM's where its paper states them.

    A learning rate of 1e-6 is for a network that is a reward model already; the paper's for an instruction model is
    5e-6, and adapters need more.

    Attributes:
        method: full trains all weights of the backbone, lora an adapter and the head. Both write a whole model.
        process_weight: weight of a pair of steps in the loss, beside 1 of a pair of whole answers.
        use_margins: whether the reward of the better answer should be greater by the pair's margin, not only greater.
        centring: factor of (r_chosen + r_rejected)² in the loss, which keeps rewards near 0; 0.01 is usual.
    """

    schedule = "cosine"
    max_length: Count = 2048
    rank: Count = 16
    alpha: Count = 32
    batch_size: Count = 64
    learning_rate: Positive = 1e-6
    dropout: FractionBelowOne = 0.0
    method: Method = Method.FULL
    process_weight: PositiveOrZero = 1.0
    use_margins: bool = False
    centring: PositiveOrZero = 0.0


RECIPE = PairwiseRecipe()


@entry
def train_pairwise(
    preferences: list[Path],
    backbone: Annotated[Place, Parameter(name=["--backbone", "--model"])],
    output: TunedFolder,
    format: FormatName = FormatName.PAIRWISE,
    name: str | None = None,
    curve: OutputFile | None = None,
    examples: OutputFile | None = None,
    recipe: PairwiseRecipe = RECIPE,
) -> None:
    """Train a reward model that gives the better of two answers, or beginnings of answers, the greater score.

    Args:
        preferences: tables of preferences.
        backbone: folder or hub name of the model to start from: a sequence classifier with one label, whose head is
            trained on, or a language model or adapter, which gets a new head.
        output: folder for the model, a sequence classifier with one label in fp32, with its tokenizer.
        format: how question and answer become a text: pairwise for plain text, classifier for the model's chat
            template, as in most of RewardBench's models.
        name: name of the reward model in the tables; by default, that of the output folder.
        curve: table of loss and learning rate.
        examples: table with the numbers of pairs per category that were used or left out.
        recipe: training settings.

    Raises:
        InputError: there are no pairs to train on, the format is of another kind, or the backbone cannot be trained.
    """
    name = name or output.name
    if format not in FORMATS:
        raise InputError("format", expected=one_of(FORMATS), found=format)
    share_batch(recipe.batch_size, recipe.device_batch_size)
    rows = parquet.read_all(preferences, PREFERENCES).to_pylist()
    tokenizer = load_tokenizer(backbone)
    encoder = Encoder(read_format(format).layout, tokenizer)
    pairs, tally = pair_examples(rows, lambda solution: encoder.encode(solution).ids, recipe)
    train_reward_model(
        bradley_terry(recipe.centring),
        pairs,
        tally,
        recipe,
        network=Classifier(backbone, recipe.method),
        name=name,
        tokenizer=tokenizer,
        questions=(row["question"] for row in rows),
        made_by=__name__,
        inputs=preferences,
        extra_parameters={"format": str(format)},
        output=output,
        curve=curve,
        counts=examples,
    )


def pair_examples(
    rows: Iterable[Row], encode: Callable[[Solution], list[int]], recipe: PairwiseRecipe
) -> tuple[list[PairExample], Tally]:
    """Make training examples from rows of the table of preferences, and count the rows by what became of them.

    Pairs with a text over `max_length` tokens are left out, and so are those whose weight is 0. With margins, a pair
    without one is left out as unlabelled.

    Args:
        encode: gives the ids of a question with the segments of an answer.
    """
    examples: list[PairExample] = []
    tally = Tally(are_pairs=True)
    for row in rows:
        category, margin = row["category"], row["margin"]
        weight = recipe.process_weight if row["kind"] == PreferenceKind.PROCESS else 1.0
        if not weight or (recipe.use_margins and margin is None):
            tally.unlabelled[category] += 1
            continue
        chosen, rejected = (_ids(row, side, encode) for side in ("chosen", "rejected"))
        if max(len(chosen), len(rejected)) > recipe.max_length:
            tally.too_long[category] += 1
            continue
        tally.used[category] += 1
        aimed = margin if recipe.use_margins else 0.0
        examples.append(PairExample.of(chosen, rejected, weight, aimed))
    return examples, tally


def _ids(row: Row, side: str, encode: Callable[[Solution], list[int]]) -> list[int]:
    return encode(Solution(row["question"], tuple(row[side]), row["category"]))
