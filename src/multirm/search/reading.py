"""How the reward model of a search reads."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cyclopts import Parameter

from multirm.models.dtype import Dtype
from multirm.models.load import sources_of
from multirm.reward_models.load_step_reader import load_step_reader
from multirm.reward_models.step_readers import StepReader
from multirm.running.numbers import Count


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """The reward model's format, and how it is run.

    Attributes:
        dtype: precision of the reward model: auto is bfloat16 on a GPU and float32 on a CPU.
        batch_tokens: approximate number of tokens that it reads in a batch; affects speed and memory, not rewards.
    """

    dtype: Dtype = Dtype.AUTO
    batch_tokens: Count | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The options for a table's provenance."""
        return asdict(self)

    def sources(self, model: str) -> tuple[list[str], list[Path]]:
        """The names of a model's weights, and the files that it is made from."""
        return sources_of(model)

    def load(self, model: str) -> StepReader:
        """Load the reward model."""
        return load_step_reader(model, self.dtype, self.batch_tokens)


DEFAULT_READING = ReadingOptions()
