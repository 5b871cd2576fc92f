"""Load a reward model of any kind to read solutions while they are written.

Get the reward of each new step, for the cost of its tokens:

    reader = load_step_reader("results/models/dPRM-mini/adapter")
    [found] = reader.read([Solution("What is 2 + 3?", ("2 + 3 = 5.",))])
    [found] = reader.read([Solution("What is 2 + 3?", ("2 + 3 = 5.", "The answer is 5."))])
    found.rewards, found.n_computed
"""

from pathlib import Path

from multirm.generation.options import GenerationOptions
from multirm.models.dtype import Dtype
from multirm.reward_models.cached_reader import CachedReader
from multirm.reward_models.critique_reader import CritiqueReader
from multirm.reward_models.discriminative import DiscriminativeModel, load_discriminative
from multirm.reward_models.formats import Format
from multirm.reward_models.generative import GenerativeModel, load_generative
from multirm.reward_models.prefixes import PrefixModel
from multirm.reward_models.step_readers import ModelOfTexts, RereadingReader, StepReader
from multirm.tables.reward_models import Kind


def load_step_reader(
    model: str | Path,
    dtype: Dtype = Dtype.AUTO,
    batch_tokens: int | None = None,
    asked: Format | None = None,
    reference: str | None = None,
) -> StepReader:
    """Load a discriminative reward model; arguments and errors are those of `load_discriminative`.

    Formats with a reference model read each solution from its beginning.
    """
    return step_reader(load_discriminative(model, dtype, batch_tokens, asked, reference))


def load_critique_reader(
    kind: Kind,
    model: str | Path,
    options: GenerationOptions,
    samples: int = 10,
    template: Path | None = None,
    dtype: Dtype = Dtype.AUTO,
) -> StepReader:
    """Load a gORM or gPRM; arguments and errors are those of `load_generative`."""
    return CritiqueReader(load_generative(kind, model, options, samples, template, dtype))


def step_reader(
    model: DiscriminativeModel | PrefixModel | GenerativeModel | ModelOfTexts,
) -> StepReader:
    """What reads solutions with a loaded reward model as cheaply as it can."""
    if isinstance(model, DiscriminativeModel | PrefixModel):
        return CachedReader(model)
    return CritiqueReader(model) if isinstance(model, GenerativeModel) else RereadingReader(model)
