"""Merge an adapter into its base: one model folder that needs no peft to load."""

import logging
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from multirm.models.adapters import merged
from multirm.models.learned_from import write_learned
from multirm.models.load import load_adapter, load_model, load_tokenizer, sources_of
from multirm.running.arguments import MergedFolder, Place, entry
from multirm.running.provenance import MERGED, origin_of, whole_model

logger = logging.getLogger(__name__)


@dataclass
class Rounding:
    """What becomes of an adapter's changes to weights when the sums are rounded to a precision.

    Attributes:
        dtype: the precision.
        weights: how many weights the adapter changes.
        unchanged: how many of them are, rounded, what they were before.
        lost, learned: sums of squares, of what is rounded away and of the changes.
    """

    dtype: torch.dtype
    weights: int = 0
    unchanged: int = 0
    lost: float = 0.0
    learned: float = 0.0

    def add(self, before: Tensor, after: Tensor) -> None:
        """Count in a weight as it was, in its own precision or a finer one, and as it became."""
        rounded = after.to(self.dtype).to(after.dtype)
        self.weights += after.numel()
        self.unchanged += int((rounded == before).sum())
        self.lost += float((rounded - after).double().square().sum())
        self.learned += float((after - before).double().square().sum())

    @property
    def unchanged_share(self) -> float:
        """Of the weights that the adapter changes, those that rounding puts back."""
        return self.unchanged / max(1, self.weights)

    @property
    def relative_error(self) -> float:
        """How far the rounded changes are from the learned ones, by the length of these; 1: all is lost."""
        return sqrt(self.lost / self.learned) if self.learned else 0.0


@entry
def merge_adapter(
    backbone: Place,
    adapter: Path,
    output: MergedFolder,
    dtype: Literal["float32", "bfloat16"] = "float32",
) -> None:
    """Write the model that a backbone and its adapter make together. Scoring needs none: it takes adapters.

    The sums are computed in fp32. How much of what was learned is lost by rounding them is logged, and
    stands in the model's provenance.

    Args:
        backbone: model folder or hub name that the adapter was trained on.
        adapter: folder of the adapter and its tokenizer.
        output: folder for the merged model: config, tokenizer and one file of weights.
        dtype: what the weights are rounded to. An adapter changes weights by little: in bfloat16 most of
            them come out as they were.
    """
    names, folders = sources_of(backbone)
    parameters = {"backbone": names, "dtype": dtype}
    origin = origin_of(__name__, parameters, [adapter, *folders])
    tokenizer = load_tokenizer(str(adapter))
    base = load_model(backbone, torch.float32, torch.device("cpu"))
    rounding = Rounding(getattr(torch, dtype))
    model = merged(load_adapter(base, adapter, backbone), rounding.add).to(rounding.dtype)
    origin = origin.having(
        unchanged_share=round(rounding.unchanged_share, 4),
        relative_error=float(f"{rounding.relative_error:.3g}"),
    )
    with whole_model(output, MERGED, origin) as part:
        # One file of known name, so that workflows can declare it.
        model.save_pretrained(part, max_shard_size="1TB")
        tokenizer.save_pretrained(part)
        write_learned(part, (), backbone, str(adapter))
    logger.info(
        "merged %s into %s, as %s: of the adapted weights %.1f %% are unchanged, and what was learned is %.2g off",
        *(adapter, backbone, dtype, 100 * rounding.unchanged_share, rounding.relative_error),
    )
