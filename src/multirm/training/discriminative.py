"""Train dORM or dPRM, which predict the probability that a step is correct at the step's last token."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from cyclopts import Parameter
from transformers import PreTrainedTokenizerBase

from multirm.errors import InputError
from multirm.models.load import load_tokenizer
from multirm.models.training_method import Method, Targets
from multirm.running.arguments import OutputFile, Place, TrainedFolder, entry
from multirm.running.numbers import Count, FractionBelowOne
from multirm.tables.labels import Key, solution_of
from multirm.tables.reward_models import Kind
from multirm.tables.schema import Row
from multirm.text.encoding import EncodedSolution, encode_solution, step_candidates
from multirm.training.examples import UNLABELLED, Example, SoftExample, Tally
from multirm.training.fine_tuning import train_reward_model
from multirm.training.networks import LanguageModel
from multirm.training.objectives import Objective, prediction, soft_prediction
from multirm.training.processes import share_batch
from multirm.training.recipe import Recipe
from multirm.training.step_data import LabelledSolutions, read_solutions
from multirm.training.step_labels import (
    CORRECT_FROM,
    LabelsTable,
    StepLabels,
    Target,
    require_labelled,
    step_targets,
)
from multirm.training.validation import StepExample, Validation, hold_out, without_learned

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DiscriminativeRecipe(Recipe):
    """Training settings of dORM and dPRM; the defaults are Multi-RM's (arXiv 2510.00492).

    Attributes:
        method: lora trains an adapter, full all weights of the backbone. A full run ignores rank, alpha and dropout.
        targets: labels, or values (soft labels from 0 to 1), where a step has both; by default values if `data` has
            numbers as labels, else labels.
        validation_share: share of the questions to hold out for validation.
        evaluate_every: steps between two evaluations on the validation data, which is also evaluated at the start and
            the end; by default a tenth of the run.
        patience: stop after this many evaluations in a row without a lower validation loss than the lowest, and keep
            the weights with the lowest loss; by default neither.
    """

    schedule = "cosine"
    max_length: Count = 650
    rank: Count = 16
    alpha: Count = 32
    method: Method = Method.LORA
    targets: Targets | None = None
    validation_share: FractionBelowOne = 0.0
    evaluate_every: Count | None = None
    patience: Count | None = None


RECIPE = DiscriminativeRecipe()


@entry
def train_discriminative(
    backbone: Annotated[Place, Parameter(name=["--backbone", "--model"])],
    output: TrainedFolder,
    solutions: list[Path] | None = None,
    data: list[Path] | None = None,
    labels: list[Place] | None = None,
    validation: list[Path] | None = None,
    kind: Kind = Kind.DPRM,
    name: str | None = None,
    curve: OutputFile | None = None,
    examples: OutputFile | None = None,
    metrics: OutputFile | None = None,
    recipe: DiscriminativeRecipe = RECIPE,
) -> None:
    """Train a discriminative reward model: a LoRA adapter on a backbone, or all weights of it.

    Args:
        backbone: folder or hub name of the model to start from: a base model, a reward model, or an adapter, which is
            trained on.
        output: folder for the adapter or the whole model, with its tokenizer.
        solutions: tables of labelled solutions.
        data: files or folders of TRL's stepwise data (*.jsonl): objects with a prompt, a list of completions (the
            steps), and a list of labels (true, false, null, or numbers from 0 to 1).
        labels: PATH or DATASET=PATH of tables of labels, which are used for the solutions of that dataset. They replace
            the step labels in `solutions`; steps without a label are read, but not learned.
        validation: solutions tables (*.parquet) or files of TRL's stepwise data to evaluate during training.
            Solutions to questions that are trained on are left out.
        kind: dORM (one label, at the last step) or dPRM (one per step, up to the first incorrect one).
        name: name of the reward model in the tables; by default, that of the output folder.
        curve: table of loss and learning rate.
        examples: table with the numbers of solutions per category that were used or left out.
        metrics: table of validation measures: loss, accuracy, F1, ROC AUC and others.
        recipe: training settings.
    """
    name = name or output.name
    _check(kind, labels, bool(validation), recipe)
    share_batch(recipe.batch_size, recipe.device_batch_size)
    tables = [LabelsTable.parse(word) for word in labels or ()]
    given = read_solutions(solutions or (), data or (), tables, name)
    learned, held_out = _parts(given, validation or (), tables, name, recipe)
    require_labelled([*learned.rows, *held_out.rows], tables, given.of_tables)
    targets = recipe.targets or given.targets
    tokenizer = load_tokenizer(backbone)
    candidates = step_candidates(tokenizer)
    labelled, tally = label_solutions(
        kind, tokenizer, learned.rows, recipe.max_length, learned.labels, targets
    )
    validated = _validation(kind, tokenizer, held_out, candidates, recipe)
    objective: Objective[Any] = prediction(candidates)
    if targets is Targets.VALUES:
        objective = soft_prediction(candidates)
    train_reward_model(
        objective,
        labelled,
        tally,
        recipe,
        network=LanguageModel(backbone, recipe.method),
        name=name,
        tokenizer=tokenizer,
        questions=(row["question"] for row in learned.rows),
        made_by=__name__,
        inputs=[*given.files, *held_out.files],
        extra_parameters={"kind": str(kind)},
        output=output,
        curve=curve,
        counts=examples,
        validation=validated,
        metrics=metrics,
    )


def _parts(
    given: LabelledSolutions,
    validation: Sequence[Path],
    labels: Sequence[LabelsTable],
    name: str,
    recipe: DiscriminativeRecipe,
) -> tuple[LabelledSolutions, LabelledSolutions]:
    """The solutions to train on and those to evaluate; without validation, there are none to evaluate."""
    if validation:
        tables = [place for place in validation if place.suffix == ".parquet"]
        others = [place for place in validation if place not in tables]
        held_out = read_solutions(tables, others, labels, name, part="validation")
        rows = without_learned(held_out.rows, given.rows, "--validation")
        return given, replace(held_out, rows=rows)
    if not recipe.validation_share:
        return given, replace(given, rows=[], files=[])
    rows, apart = hold_out(given.rows, recipe.validation_share, recipe.seed, name)
    return replace(given, rows=rows), replace(given, rows=apart, files=[])


def _validation(
    kind: Kind,
    tokenizer: PreTrainedTokenizerBase,
    held_out: LabelledSolutions,
    candidates: tuple[int, int],
    recipe: DiscriminativeRecipe,
) -> Validation | None:
    """What the run is validated on; None without solutions for it.

    Numbers as labels are compared with as they are, whatever is learned: a probability has a loss for either.

    Raises:
        InputError: none of the solutions can be used.
    """
    if not held_out.rows:
        return None
    examples, tally = label_solutions(
        kind,
        tokenizer,
        held_out.rows,
        recipe.max_length,
        held_out.labels,
        recipe.targets or held_out.targets,
    )
    n_too_long, n_unlabelled = tally.too_long.total(), tally.unlabelled.total()
    left_out = f"{n_too_long} over {recipe.max_length} tokens, {n_unlabelled} unlabelled"
    if not examples:
        raise InputError(
            "validation",
            expected="at least one solution to evaluate",
            found=left_out,
            remedy="use more data, a larger max_length or other --targets",
        )
    if n_too_long or n_unlabelled:
        logger.info("validation: left out of %d solutions: %s", len(held_out.rows), left_out)
    return Validation(
        examples,
        candidates,
        recipe.evaluate_every,
        recipe.patience,
        n_too_long=n_too_long,
        n_unlabelled=n_unlabelled,
    )


def _check(
    kind: Kind, labels: list[Place] | None, has_validation: bool, recipe: DiscriminativeRecipe
) -> None:
    """Refuse settings that contradict each other, or would have no effect."""
    if kind.is_generative:
        raise InputError("kind", expected="dORM or dPRM", found=kind)
    if kind is Kind.DORM and (labels or recipe.targets is Targets.VALUES):
        raise InputError(
            "labels" if labels else "targets",
            expected="only with dPRM: a dORM learns outcomes, not steps",
            found=f"with {kind}",
        )
    if has_validation and recipe.validation_share:
        raise InputError(
            "validation_share", expected="none beside --validation", found="both", remedy="choose"
        )
    if not has_validation and not recipe.validation_share:
        for setting in ("evaluate_every", "patience"):
            if getattr(recipe, setting) is not None:
                raise InputError(
                    setting,
                    expected="something to evaluate",
                    found="no validation data",
                    remedy="set --validation or --validation-share",
                )


def label_solutions(
    kind: Kind,
    tokenizer: PreTrainedTokenizerBase,
    rows: Iterable[Row],
    max_length: int,
    labels: Mapping[Key, StepLabels] = MappingProxyType({}),
    targets: Targets = Targets.LABELS,
) -> tuple[list[StepExample], Tally]:
    """Make training examples from rows of a solutions table, and count the rows by what became of them.

    An example ends with its last label, as in VersaPRM (arXiv 2502.06737): for dPRM, at the first incorrect
    step. Examples that are still over `max_length` tokens are left out. An example without incorrect labels is
    positive; values from 0.5 on count as correct.

    Args:
        labels: those of labels tables, by solution.
        targets: values make `SoftExample`s.
    """
    examples: list[StepExample] = []
    tally = Tally()
    for row in rows:
        category = row["category"]
        learned = step_targets(
            kind,
            row["outcome"],
            row["step_labels"],
            len(row["steps"]),
            labels.get(solution_of(row)),
            targets,
        )
        if learned is None:
            tally.unlabelled[category] += 1
            continue
        encoded = encode_solution(tokenizer, row["question"], row["steps"][: max(learned) + 1])
        if len(encoded.ids) > max_length:
            tally.too_long[category] += 1
            continue
        tally.used[category] += 1
        tally.positive[category] += min(learned.values()) >= CORRECT_FROM
        placed = {encoded.step_ends[step]: target for step, target in learned.items()}
        if targets is Targets.VALUES:
            examples.append(SoftExample.of(encoded.ids, placed))
        else:
            examples.append(_hard(encoded, placed))
    return examples, tally


def _hard(encoded: EncodedSolution, placed: Mapping[int, Target]) -> Example:
    labels = [UNLABELLED] * len(encoded.ids)
    for position, label in placed.items():
        labels[position] = int(label)
    return Example.of(encoded.ids, labels)
