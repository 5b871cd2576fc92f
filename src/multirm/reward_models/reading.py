"""Read packed solutions with a network, and rewards at places in them."""

from collections.abc import Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from multirm.models.packing import pack_tree, read_pack_at
from multirm.reward_models.heads import Head
from multirm.reward_models.layouts import EncodedText


@torch.inference_mode()
def rewards_at(
    network: PreTrainedModel, head: Head, solutions: Sequence[EncodedText]
) -> list[list[float | None]]:
    """The rewards of solutions, read at their places.

    Common prefixes of solutions, above all the question, are encoded once.

    Args:
        network: a decoder in evaluation mode, prepared by `attend_in_packs`.
        head: computes rewards from last hidden states.
        solutions: none longer than the context; all are one batch.

    Returns:
        for each solution a reward per place, None where it has no place.
    """
    pack = pack_tree([solution.ids for solution in solutions])
    places = [
        own[[place for place in solution.places if place is not None]]
        for own, solution in zip(pack.places, solutions, strict=True)
    ]
    given = [*pack.tensors, torch.from_numpy(np.concatenate(places))]
    hidden = read_pack_at(network, *(tensor.to(network.device) for tensor in given))
    found = iter(head(network, hidden).cpu().tolist())
    return [
        [None if place is None else next(found) for place in solution.places]
        for solution in solutions
    ]
