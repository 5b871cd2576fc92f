"""Validation during training: measure held-out examples, stop early if asked to, and keep the best weights."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from transformers import PreTrainedModel

from multirm.errors import InputError
from multirm.models.learned_from import question_digest
from multirm.models.load import output_logits
from multirm.models.packing import pack, read_pack
from multirm.running.files import whole
from multirm.running.randomness import item_seed
from multirm.tables.schema import Row
from multirm.training.examples import UNLABELLED, Example, SoftExample
from multirm.training.processes import is_main_process, processes
from multirm.training.sharding import set_trained_weights, trained_weights
from multirm.training.step_metrics import step_metrics

logger = logging.getLogger(__name__)

EVALUATIONS = 10
"""How often a run is evaluated unless its interval is set, besides the start."""

StepExample = Example | SoftExample


@dataclass(frozen=True)
class Validation:
    """What a run is validated on, and how often.

    Attributes:
        examples: at least one.
        candidates: ids of the tokens for incorrect and correct.
        every: steps between two evaluations; None for a tenth of the run.
        patience: stop after this many evaluations in a row without a lower loss than the lowest, and keep the
            weights with the lowest loss; None for neither.
        n_too_long, n_unlabelled: solutions that were held out, but are not among the examples.
    """

    examples: Sequence[StepExample]
    candidates: tuple[int, int]
    every: int | None = None
    patience: int | None = None
    n_too_long: int = 0
    n_unlabelled: int = 0


class Watch:
    """Evaluates a run. All processes call each method together, and see the same results.

    Attributes:
        rows: rows of the table `VALIDATION` so far, without the model.

    Args:
        n_steps: steps of the whole run.
        at_once: examples per forward pass.
        folder: for the weights with the lowest loss, during training.
    """

    def __init__(self, validation: Validation, n_steps: int, at_once: int, folder: Path) -> None:
        self._validation, self._folder, self._n_steps = validation, folder, n_steps
        self._every = validation.every or max(1, n_steps // EVALUATIONS)
        self._parts = _parts_of(validation.examples, at_once)
        self.rows: list[dict[str, Any]] = []

    def is_due(self, step: int) -> bool:
        """Whether to evaluate after a step: at the interval, and at the end."""
        return step % self._every == 0 or step == self._n_steps

    @property
    def is_over(self) -> bool:
        """Whether patience is exhausted."""
        patience = self._validation.patience
        return patience is not None and len(self.rows) - 1 - self._best() >= patience

    def measure(self, learner: nn.Module, step: int, epoch: float) -> bool:
        """Evaluate the learner; return whether its weights were saved because its loss is the lowest so far."""
        trains = learner.training
        learner.eval()
        with torch.no_grad():
            found = _gathered(learner, self._parts, self._validation.candidates)
        learner.train(trains)
        if isinstance(learner, FSDPModule):
            # Without a backward pass, the weights of the root would stay gathered.
            learner.reshard()
        counts = {
            "n_solutions": len(self._validation.examples),
            "n_too_long": self._validation.n_too_long,
            "n_unlabelled": self._validation.n_unlabelled,
        }
        row = {"step": step, "epoch": epoch, **counts, **step_metrics(*found)}
        self.rows.append(row)
        if is_main_process():
            logger.info(
                "step %d of %d, validation: loss %.4f, %s",
                *(step, self._n_steps, row["loss"]),
                ", ".join(f"{name} {_short(row[name])}" for name in ("accuracy", "f1", "roc_auc")),
            )
        if self._validation.patience is None or self._best() != len(self.rows) - 1:
            return False
        weights = trained_weights(learner)
        if is_main_process():
            with whole(self._weights_at(step)) as part:
                torch.save(weights, part)
        return True

    def forget_older(self) -> None:
        """Remove saved weights other than the best, once a checkpoint no longer refers to them."""
        if is_main_process():
            kept = self._weights_at(self.rows[self._best()]["step"])
            for path in self._folder.glob("best-*.pt"):
                if path != kept:
                    path.unlink()

    def finish(self, learner: nn.Module) -> None:
        """Restore the weights with the lowest loss if they are kept, and mark the row of the weights that are."""
        kept = len(self.rows) - 1
        if self._validation.patience is not None:
            kept = self._best()
            processes().wait_for_everyone()
            path = self._weights_at(self.rows[kept]["step"])
            set_trained_weights(learner, torch.load(path, map_location="cpu", weights_only=True))
            if is_main_process():
                logger.info("the weights of step %d are kept", self.rows[kept]["step"])
        self.rows = [{**row, "is_kept": place == kept} for place, row in enumerate(self.rows)]

    def _best(self) -> int:
        losses = [row["loss"] for row in self.rows]
        return losses.index(min(losses))

    def _weights_at(self, step: int) -> Path:
        return self._folder / f"best-{step}.pt"


def hold_out(
    rows: Sequence[Row], share: float, seed: int, source: str
) -> tuple[list[Row], list[Row]]:
    """Split solutions by their questions: those to train on, and those of a random share of the questions.

    Whether a question is held out depends on its text, the seed and the other questions, not on their order.

    Raises:
        InputError: there is only one question.
    """
    digests = [question_digest(row["question"]) for row in rows]
    order = sorted(set(digests), key=lambda digest: item_seed(seed, "validation", digest))
    if len(order) < 2:
        raise InputError(
            source,
            expected="at least two questions, to hold out some for validation",
            found=str(len(order)),
            remedy="give --validation other data, or no validation_share",
        )
    held_out = set(order[: min(max(1, round(share * len(order))), len(order) - 1)])
    return (
        [row for row, digest in zip(rows, digests, strict=True) if digest not in held_out],
        [row for row, digest in zip(rows, digests, strict=True) if digest in held_out],
    )


def without_learned(rows: Sequence[Row], learned: Iterable[Row], source: str) -> list[Row]:
    """The solutions to questions that are not trained on; the others are counted in a warning.

    Raises:
        InputError: there are none.
    """
    known = {question_digest(row["question"]) for row in learned}
    kept = [row for row in rows if question_digest(row["question"]) not in known]
    if not kept:
        raise InputError(
            source,
            expected="solutions to questions that are not trained on",
            found=f"{len(rows)} to those that are",
            remedy="give other data, or hold out a --validation-share",
        )
    if len(kept) < len(rows):
        logger.warning(
            "%s: left out %d of %d solutions, to questions that are trained on",
            *(source, len(rows) - len(kept), len(rows)),
        )
    return kept


def log_odds(
    model: PreTrainedModel, examples: Sequence[StepExample], candidates: tuple[int, int]
) -> Tensor:
    """The logit of "correct" minus that of "incorrect" at each target of some examples, float32 [targets].

    Args:
        model: prepared by `packing.attend_in_packs`.
        candidates: ids of the tokens for incorrect and correct.
    """
    packed = pack([example.ids for example in examples])
    starts = np.cumsum([0, *(example.n_tokens for example in examples)])
    places = [
        start + position
        for start, example in zip(starts, examples, strict=False)
        for position, _ in example.targets()
    ]
    device = model.device
    hidden = read_pack(
        model, packed.input_ids.to(device), packed.positions.to(device), packed.segments
    )
    logits = output_logits(model, hidden[torch.tensor(places, dtype=torch.long)], candidates)
    return logits[:, 1].float() - logits[:, 0].float()


def _parts_of(examples: Sequence[StepExample], at_once: int) -> list[list[StepExample]]:
    """This process's examples, one forward pass per part; all processes have equally many parts."""
    place = processes()
    by_length = sorted(examples, key=lambda example: -example.n_tokens)
    all_at_once = at_once * place.num_processes
    parts = []
    for start in range(0, len(by_length), all_at_once):
        own = by_length[start : start + all_at_once][place.process_index :: place.num_processes]
        # Every process has something to read.
        parts.append(own or [Example.of([0], [UNLABELLED])])
    return parts


def _gathered(
    learner: nn.Module, parts: Iterable[Sequence[StepExample]], candidates: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The log-odds and targets of all processes' examples, each float64 [targets]."""
    odds = [learner(part, partial(log_odds, candidates=candidates)).cpu() for part in parts]
    values = [value for part in parts for example in part for _, value in example.targets()]
    found = gather_object([(torch.cat(odds).tolist(), values)])
    return (
        np.array([each for own, _ in found for each in own], float),
        np.array([each for _, own in found for each in own], float),
    )


def _short(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
