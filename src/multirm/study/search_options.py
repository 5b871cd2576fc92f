"""A study's settings of searches as command-line arguments."""

from typing import Any

from multirm.study.options import option, scoring_model
from multirm.study.reward_models import PairwiseModel, ReadyDiscriminativeModel
from multirm.study.study import Study
from multirm.tables.accuracy import DEFAULT_AGGREGATION
from multirm.tables.reward_models import FormatName

_SAMPLING = ("engine", "max_tokens", "temperature", "top_p", "top_k", "min_p")
_METHOD = (
    *("method", "candidates", "policy_tokens", "beams", "pruning", "step_end", "max_steps"),
    *("max_step_tokens", "dtype"),
)
_OF_METHODS = ("rebase_temperature", "exploration", "children", "simulations", "node_value")


def searching(study: Study, search: str) -> list[str]:
    """The options for a search's method, its policy's sampling and its reward model's format."""
    settings = study.searches[search]
    own = [name for name in _OF_METHODS if name in settings.model_fields_set]
    values = {name: getattr(settings, name) for name in (*_SAMPLING, *_METHOD, *own)}
    final = settings.final or DEFAULT_AGGREGATION[study.models[settings.model].kind]
    values |= {"final": final, "shots": settings.shots if settings.exemplars else 0}
    values |= {"seed": study.seed}
    options = [option(f"--{name.replace('_', '-')}", value) for name, value in values.items()]
    words = [word for words in options for word in words]
    return [*words, *option("--format", _format(study, settings.model))]


def _format(study: Study, model: str) -> FormatName | None:
    """The format of a reward model; None for that of dORMs and dPRMs trained here."""
    settings = study.models[model]
    if isinstance(settings, PairwiseModel):
        return settings.scored_as
    return settings.format if isinstance(settings, ReadyDiscriminativeModel) else None


def reward_model(study: Study, search: str, input: Any) -> str:
    """The folder or hub name of a search's reward model.

    Args:
        input: the job's, whose `own` are the reward model's files.
    """
    return scoring_model(study, study.searches[search].model, input.own)


def search_nodes(wildcards: object, input: Any) -> list[str]:
    """The option for the nodes of baselines among a job's inputs, if there are any."""
    return option("--search-nodes", *input.search_nodes)
