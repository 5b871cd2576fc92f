"""The Bradley-Terry objective: the reward of the better text of a pair should be greater."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from multirm.models.packing import pack_tree, read_pack
from multirm.training.objectives import Objective


@dataclass(frozen=True)
class PairExample:
    """Two texts, each with its reward at its last token.

    Attributes:
        chosen, rejected: token ids of the better and of the worse text.
        weight: factor of its loss, and its share in the mean.
        margin: by how much the better reward should be greater.
    """

    chosen: "array[int]"
    rejected: "array[int]"
    weight: float
    margin: float

    @classmethod
    def of(
        cls,
        chosen: Sequence[int],
        rejected: Sequence[int],
        weight: float = 1.0,
        margin: float = 0.0,
    ) -> Self:
        """Make an example from ids."""
        return cls(array("i", chosen), array("i", rejected), weight, margin)

    @property
    def n_tokens(self) -> int:
        """The length of both texts together, as if they had no beginning in common."""
        return len(self.chosen) + len(self.rejected)

    @property
    def count(self) -> float:
        """Its share in the mean loss of a step."""
        return self.weight


def bradley_terry(centring: float = 0.0) -> Objective[PairExample]:
    """-log sigmoid(r_chosen - r_rejected - margin), weighted (Bradley and Terry 1952; OpenPRM).

    What the texts of a forward pass begin with alike is read once, so that dropout draws once for it.

    Args:
        centring: factor of (r_chosen + r_rejected)², which keeps rewards near 0 on average (Eisenstein et al. 2023).
    """
    loss = partial(_pairwise_loss, centring=centring)
    return Objective(loss, blank=PairExample.of([0], [0], weight=0.0))


def _pairwise_loss(
    model: PreTrainedModel, examples: Sequence[PairExample], centring: float
) -> Tensor:
    """The weighted losses of the pairs, summed; a scalar."""
    texts = [text.tolist() for each in examples for text in (each.chosen, each.rejected)]
    chosen, rejected = last_rewards(model, texts).view(-1, 2).unbind(dim=1)
    weights = chosen.new_tensor([each.weight for each in examples])
    margins = chosen.new_tensor([each.margin for each in examples])
    losses = -functional.logsigmoid(chosen - rejected - margins)
    losses = losses + centring * (chosen + rejected) ** 2
    return (weights * losses).sum()


def last_rewards(model: PreTrainedModel, texts: Sequence[list[int]]) -> Tensor:
    """The rewards at the last tokens of texts, float32 [texts]; common beginnings are read once.

    Args:
        model: a sequence classifier with one label, plain or wrapped by peft, that `attend_in_packs` has prepared.
    """
    packed = pack_tree(texts)
    ids, positions = packed.input_ids.to(model.device), packed.positions.to(model.device)
    hidden = read_pack(model, ids, positions, packed.segments)
    ends = torch.tensor([int(places[-1]) for places in packed.places], device=model.device)
    # bf16 would round rewards to two digits.
    with torch.autocast(hidden.device.type, enabled=False):
        return score_layer(model)(hidden[ends].float()).squeeze(-1)


def score_layer(model: PreTrainedModel) -> nn.Module:
    """The layer of a sequence classifier that gives the reward."""
    layer: nn.Module = model.score
    return layer
