"""Entry point `describe_reward_models`: a table of the evaluated reward models, for evaluation and figures to join."""

from collections import Counter

from multirm.errors import InputError, shown
from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.reward_model_rows import RewardModel, with_means
from multirm.tables.reward_models import REWARD_MODELS


@entry
def describe_reward_models(
    dataset: str, output: OutputFile, models: list[RewardModel] | None = None
) -> None:
    """Write a table of reward models: kind, training run, backbone, training data, format.

    The mean over the training runs of one model gets a row, too.

    Args:
        dataset: the dataset that they are evaluated on.
        output: the table to write.
        models: a JSON object of columns for each training run, such as
            `{"model": "dPRM@43", "run_of": "dPRM", "kind": "dPRM", "seed": 43}`.
    """
    models = models or []
    counts = Counter(each.model for each in models)
    for each in models:
        if counts[each.model] > 1 or each.is_mean:
            raise InputError(
                "--models",
                expected="each training run once, without means, which are added",
                found=shown(each.model),
            )
    rows = [each.columns(dataset) for each in with_means(models)]
    parquet.write(output, REWARD_MODELS, rows, origin_of(__name__, {"dataset": dataset}, []))
