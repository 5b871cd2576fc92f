"""What is known of the reward models that are evaluated together, as a table for evaluation and figures to join."""

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
    """Write down what is known of reward models: kind, training run, backbone, what they learned from, format.

    The mean over the training runs of one model has a row, too.

    Args:
        dataset: what they are evaluated on.
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
                expected="each training run once, and no mean: those are added",
                found=shown(each.model),
            )
    rows = [each.columns(dataset) for each in with_means(models)]
    parquet.write(output, REWARD_MODELS, rows, origin_of(__name__, {"dataset": dataset}, []))
