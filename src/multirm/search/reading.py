"""How the reward model of a search reads."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cyclopts import Parameter

from multirm.errors import InputError
from multirm.models.dtype import Dtype
from multirm.models.load import sources_of
from multirm.reward_models.formats import RatioHead, format_file, read_format
from multirm.reward_models.load_step_reader import load_step_reader
from multirm.reward_models.step_readers import StepReader
from multirm.running.numbers import Count
from multirm.tables.reward_models import FormatName


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """The reward model's format, and how it is run.

    Attributes:
        format: of the reward model's text and head, one of those of `multirm score-discriminative` with one network;
            by default, that of dORMs and dPRMs trained here.
        dtype: precision of the reward model: auto is bfloat16 on a GPU and float32 on a CPU.
        batch_tokens: approximate number of tokens that it reads in a batch; affects speed and memory, not rewards.
    """

    format: FormatName = FormatName.MULTI_RM
    dtype: Dtype = Dtype.AUTO
    batch_tokens: Count | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The options for a table's provenance."""
        return asdict(self)

    def sources(self, model: str) -> tuple[list[str], list[Path]]:
        """The names of a model's weights, and the files that it is made from."""
        names, files = sources_of(model)
        own = [] if self.format is FormatName.MULTI_RM else [format_file(self.format)]
        return names, [*files, *own]

    def load(self, model: str) -> StepReader:
        """Load the reward model.

        Raises:
            InputError: as `load_step_reader` and `read_format`, or it needs a second network.
        """
        asked = None if self.format is FormatName.MULTI_RM else read_format(self.format)
        if asked is not None and isinstance(asked.head, RatioHead):
            raise InputError(
                "--format", expected="a format without a reference model", found=self.format
            )
        return load_step_reader(model, self.dtype, self.batch_tokens, asked)


DEFAULT_READING = ReadingOptions()
