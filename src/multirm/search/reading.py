"""How the reward model of a search reads."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cyclopts import Parameter

from multirm.errors import InputError
from multirm.generation.options import GenerationOptions
from multirm.models.dtype import Dtype
from multirm.models.load import default_device, dtype_name, dtype_of
from multirm.reward_models.discriminative import sources_with_reference
from multirm.reward_models.formats import asked_format, format_file
from multirm.reward_models.load_step_reader import load_critique_reader, load_step_reader
from multirm.reward_models.step_readers import StepReader
from multirm.running.arguments import Place
from multirm.running.numbers import Count
from multirm.tables.reward_models import FormatName, Kind
from multirm.text.prompts import own_template

_NOT_TO_KNOW = ("batch_tokens", "reference", "reward_template")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """The reward model's format, and how it is run.

    Attributes:
        kind: gORM or gPRM for a model that writes critiques, which the policy's engine runs; by default, the reward
            model is one that only reads.
        format: of the text and head of a model that only reads; docs/formats.md lists them.
        reference: folder or hub name of the reference model of a format that has one; by default, the format's.
        reward_template: prompt template of the reward model, for formats of chats and for critiques.
        dtype: precision of the reward model: auto is bfloat16 on a GPU and float32 on a CPU.
        batch_tokens: approximate number of tokens that it reads in a batch; affects speed and memory, not rewards.
        critiques: sampled critiques of each step, if it writes them.
        critique_tokens: the largest number of tokens of a critique.
    """

    kind: Kind | None = None
    format: FormatName = FormatName.MULTI_RM
    reference: Place | None = None
    reward_template: Path | None = None
    dtype: Dtype = Dtype.AUTO
    batch_tokens: Count | None = None
    critiques: Count = 4
    critique_tokens: Count = 8192

    @property
    def parameters(self) -> dict[str, Any]:
        """The options for a table's provenance."""
        known = {name: value for name, value in asdict(self).items() if name not in _NOT_TO_KNOW}
        return known | {"dtype": dtype_name(dtype_of(self.dtype, default_device()))}

    def sources(self, model: str) -> tuple[list[str], list[Path]]:
        """The names of a model's weights, and the files that it is made from.

        Raises:
            InputError: the options contradict each other.
        """
        self._check()
        if self.kind is not None:
            names, files = sources_with_reference(model, None, None)
            return names, [*files, self.reward_template or own_template(self.kind)]
        asked = asked_format(self.format, self.reference, self.reward_template)
        names, files = sources_with_reference(model, asked, self.reference)
        own = [] if asked is None else [format_file(self.format)]
        return names, [*files, *own, *([self.reward_template] if self.reward_template else [])]

    def load(self, model: str, policy: GenerationOptions) -> StepReader:
        """Load the reward model.

        Args:
            policy: options of the policy, whose engine and seed are those of critiques.

        Raises:
            InputError: the model cannot be loaded.
        """
        if self.kind is not None:
            options = GenerationOptions(
                engine=policy.engine, max_tokens=self.critique_tokens, seed=policy.seed
            )
            return load_critique_reader(
                self.kind, model, options, self.critiques, self.reward_template, self.dtype
            )
        asked = asked_format(self.format, self.reference, self.reward_template)
        return load_step_reader(model, self.dtype, self.batch_tokens, asked, self.reference)

    def _check(self) -> None:
        if self.kind is None:
            return
        if not self.kind.is_generative:
            raise InputError(
                "--kind",
                expected="gORM or gPRM, which write critiques",
                found=self.kind,
                remedy="leave it out",
            )
        if self.format is not FormatName.MULTI_RM:
            raise InputError("--format", expected=f"none with a {self.kind}", found=self.format)


DEFAULT_READING = ReadingOptions()
