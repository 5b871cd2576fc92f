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
    """How much of an adapter's changes is lost when the merged weights are rounded.

    Attributes:
        dtype: the precision that they are rounded to.
        weights: number of weights that the adapter changes.
        unchanged: number of weights that, rounded, are what they were before.
        lost, learned: sums of squares of the rounding errors and of the changes.
    """

    dtype: torch.dtype
    weights: int = 0
    unchanged: int = 0
    lost: float = 0.0
    learned: float = 0.0

    def add(self, before: Tensor, after: Tensor) -> None:
        """Add a weight tensor before and after merging, in the base's precision or a higher one."""
        rounded = after.to(self.dtype).to(after.dtype)
        self.weights += after.numel()
        self.unchanged += int((rounded == before).sum())
        self.lost += float((rounded - after).double().square().sum())
        self.learned += float((after - before).double().square().sum())

    @property
    def unchanged_share(self) -> float:
        """The fraction of the adapted weights that rounding leaves unchanged."""
        return self.unchanged / max(1, self.weights)

    @property
    def relative_error(self) -> float:
        """The norm of the rounding errors relative to that of the learned changes; 1 means that all is lost."""
        return sqrt(self.lost / self.learned) if self.learned else 0.0


@entry
def merge_adapter(
    backbone: Place,
    adapter: Path,
    output: MergedFolder,
    dtype: Literal["float32", "bfloat16"] = "float32",
) -> None:
    """Merge an adapter into its backbone. Scoring does not need merged models: it takes adapters.

    The merge is computed in fp32. How much of what was learned is lost by rounding is logged, and recorded in the
    model's provenance.

    Args:
        backbone: model folder or hub name that the adapter was trained on.
        adapter: folder of the adapter and its tokenizer.
        output: folder for the merged model: config, tokenizer and one file of weights.
        dtype: precision of the merged weights. An adapter's changes are small: in bfloat16, most weights come out
            unchanged.
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
        # One file with a known name, so that workflows can declare it.
        model.save_pretrained(part, max_shard_size="1TB")
        tokenizer.save_pretrained(part)
        write_learned(part, (), backbone, str(adapter))
    logger.info(
        "merged %s into %s, as %s: %.1f %% of the adapted weights are unchanged, relative error of the changes %.2g",
        *(adapter, backbone, dtype, 100 * rounding.unchanged_share, rounding.relative_error),
    )
