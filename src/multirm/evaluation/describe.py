"""What is known of the reward models that are evaluated together, as a table for evaluation and figures to join."""

import json
from collections import Counter
from dataclasses import fields

from pydantic import TypeAdapter, ValidationError

from multirm.errors import InputError, shown
from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.reward_model_rows import RewardModel, with_means
from multirm.tables.reward_models import REWARD_MODELS


@entry
def describe_reward_models(
    dataset: str, output: OutputFile, models: list[str] | None = None
) -> None:
    """Write down what is known of reward models: kind, training run, backbone, training data, format.

    The mean over the training runs of one model has a row, too.

    Args:
        dataset: what they are evaluated on.
        output: the table to write.
        models: a JSON object of columns for each training run, such as
            `{"model": "dPRM@43", "run_of": "dPRM", "kind": "dPRM", "seed": 43}`.
    """
    parsed = [parse_model(word) for word in models or []]
    counts = Counter(each.model for each in parsed)
    for each in parsed:
        if counts[each.model] > 1 or each.is_mean:
            raise InputError(
                "--models",
                expected="each training run once, and no mean: those are added",
                found=shown(each.model),
            )
    rows = [each.columns(dataset) for each in with_means(parsed)]
    parquet.write(output, REWARD_MODELS, rows, origin_of(__name__, {"dataset": dataset}, []))


def parse_model(word: str) -> RewardModel:
    """A reward model from a JSON object of its columns.

    Raises:
        InputError: no such object, or a column that is unknown, missing or of another type.
    """
    known = {field.name for field in fields(RewardModel)}
    try:
        columns = json.loads(word)
        # Half a surrogate pair is JSON, and no text.
        json.dumps(columns, ensure_ascii=False).encode()
        if not isinstance(columns, dict) or not columns.keys() <= known:
            raise _not_a_model(word, f"an object with columns {', '.join(sorted(known))}")
        model = TypeAdapter(RewardModel).validate_python(columns)
    except (ValueError, RecursionError) as error:
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            at = ".".join(map(str, first["loc"]))
            raise _not_a_model(word, f"{at}: {first['msg']}") from error
        raise _not_a_model(word, "a JSON object of columns") from error
    if not model.model or not model.run_of:
        raise _not_a_model(word, "names")
    return model


def _not_a_model(word: str, expected: str) -> InputError:
    return InputError("--models", expected=expected, found=shown(word))
