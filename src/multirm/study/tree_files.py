"""The files of the jobs that merge solutions to preference trees, extract pairs and train on them."""

from multirm.reward_models.formats import format_file
from multirm.study.files import RESULTS, solution_table, solution_tables, without_braces
from multirm.study.reward_models import PairwiseModel
from multirm.study.study import Study


def tree_table(trees: str, category: str) -> str:
    """The table of nodes of a category's trees."""
    return f"{RESULTS}/trees/{trees}/{category}.parquet"


def preference_table(preferences: str, category: str) -> str:
    """The table of pairs of a category."""
    return f"{RESULTS}/preferences/{preferences}/{category}.parquet"


def count_table(preferences: str) -> str:
    """The table of what merging makes in other orders and by other rules, for a set of pairs."""
    return f"{RESULTS}/tree_counts/{preferences}.parquet"


def merged_solutions(study: Study, trees: str, category: str) -> str:
    """The table of solutions that are merged to trees."""
    return solution_table(study.trees[trees].dataset, category)


def outcome_rewards(study: Study, trees: str, category: str) -> list[str]:
    """The table of a reward model's rewards of merged solutions; none if they are right or wrong."""
    settings = study.trees[trees]
    if settings.reward is None:
        return []
    return [f"{RESULTS}/rewards/{settings.reward.model}/{settings.dataset}/{category}.parquet"]


def paired_trees(study: Study, preferences: str, category: str) -> str:
    """The table of nodes that pairs are extracted from."""
    return tree_table(study.preferences[preferences].trees, category)


def paired_solutions(study: Study, preferences: str, category: str) -> str:
    """The table of solutions that pairs are of."""
    return solution_table(study.merged_for(preferences), category)


def counted_solutions(study: Study, preferences: str) -> list[str]:
    """The tables of solutions whose trees are counted."""
    return solution_tables(study, study.merged_for(preferences))


def training_preferences(study: Study, model: str) -> list[str]:
    """The tables of pairs on which a pairwise reward model is trained.

    Raises:
        TypeError: the reward model is not trained on pairs.
    """
    settings = _pairwise(study, model)
    return [
        preference_table(preferences, category)
        for preferences in settings.preferences
        for category in study.trained_categories(model, study.merged_for(preferences))
    ]


def training_format(study: Study, model: str) -> str:
    """The file of the format of the text that a pairwise reward model is trained on.

    Raises:
        TypeError: the reward model is not trained on pairs.
    """
    [file] = without_braces([format_file(_pairwise(study, model).format)])
    return file


def _pairwise(study: Study, model: str) -> PairwiseModel:
    settings = study.runs[model].settings
    if not isinstance(settings, PairwiseModel):
        raise TypeError(f"{model} is not trained on pairs")
    return settings
