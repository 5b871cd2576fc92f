"""Objectives of fine-tuning: the loss of a model on examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from multirm.models.activations import LOGITS_AT_ONCE, TOKENS_OF_LOGITS
from multirm.models.load import output_logits
from multirm.models.packing import pack, read_pack
from multirm.training.examples import UNLABELLED, Example, SoftExample
from multirm.training.steps import E, Loss


@dataclass(frozen=True)
class Objective(Generic[E]):
    """A loss, and an example without loss.

    Attributes:
        loss: for models that read packs (`packing.attend_in_packs`).
        blank: an example whose loss and count are 0.
    """

    loss: Loss[E]
    blank: E


def prediction(columns: Sequence[int] | None = None) -> Objective[Example]:
    """Cross-entropy of the labels, over some columns of the logits or the whole vocabulary.

    Args:
        columns: the token ids that labels are indices of; None for the whole vocabulary.
    """
    loss = partial(_prediction_loss, columns=columns)
    return Objective(loss, blank=Example.of([0], [UNLABELLED]))


def soft_prediction(candidates: tuple[int, int]) -> Objective[SoftExample]:
    """Cross-entropy of two tokens against the probability of the second one.

    Args:
        candidates: their ids.
    """
    loss = partial(_soft_loss, candidates=candidates)
    return Objective(loss, blank=SoftExample.of([0], {}))


def _prediction_loss(
    model: PreTrainedModel, examples: Sequence[Example], columns: Sequence[int] | None
) -> Tensor:
    """The cross-entropy at all labelled positions, summed; a scalar."""
    labels = torch.tensor([label for example in examples for label in example.labels])
    labelled = (labels != UNLABELLED).nonzero().squeeze(1)
    texts = [example.ids for example in examples]
    return _cross_entropy(model, texts, labelled, labels[labelled], columns)


def _soft_loss(
    model: PreTrainedModel, examples: Sequence[SoftExample], candidates: tuple[int, int]
) -> Tensor:
    """The cross-entropy at all positions with a value, summed; a scalar."""
    values = torch.tensor([value for example in examples for value in example.values])
    labelled = (~values.isnan()).nonzero().squeeze(1)
    likely = values[labelled].float()
    targets = torch.stack([1 - likely, likely], dim=1)
    texts = [example.ids for example in examples]
    return _cross_entropy(model, texts, labelled, targets, candidates)


def _cross_entropy(
    model: PreTrainedModel,
    texts: Sequence[Sequence[int]],
    positions: Tensor,
    targets: Tensor,
    columns: Sequence[int] | None,
) -> Tensor:
    """The cross-entropy at some positions of packed texts, summed; a scalar.

    Logits are computed for some positions at a time, and again for the gradient, to save memory.

    Args:
        positions: int64 [positions], in the texts one after the other.
        targets: the right columns, int64 [positions], or the columns' probabilities, float [positions, columns].
    """
    packed = pack(texts)
    device = model.device
    hidden = read_pack(
        model, packed.input_ids.to(device), packed.positions.to(device), packed.segments
    )[positions.to(device)]
    targets = targets.to(device)

    def part_loss(hidden: Tensor, targets: Tensor) -> Tensor:
        logits = output_logits(model, hidden, columns)
        return functional.cross_entropy(logits.float(), targets, reduction="sum")

    n_columns = len(columns or ()) or model.config.get_text_config().vocab_size
    rows = max(1, min(TOKENS_OF_LOGITS, LOGITS_AT_ONCE // n_columns))
    losses = [
        checkpoint(part_loss, part, target, use_reentrant=False)
        for part, target in zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True)
    ]
    return torch.stack(losses).sum()
