"""Parse the options of an evaluation per reward model: MODEL=AGGREGATION, MODEL=PATH, MODEL=UNIT, MODEL=SCALE."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from multirm.errors import InputError, did_you_mean, one_of, shown
from multirm.tables.accuracy import RESERVED_NAMES, Aggregation


def parse_aggregations(pairs: Sequence[str]) -> dict[str, list[Aggregation]]:
    """`model=aggregation` pairs, in order; a model may name several, separated by commas.

    Raises:
        InputError: a pair is malformed, or an aggregation is unknown or given twice.
    """
    result: dict[str, list[Aggregation]] = {}
    for pair in pairs:
        model, equals, names = pair.rpartition("=")
        if not model or not equals:
            raise InputError(
                "--aggregation", expected="MODEL=AGGREGATION, such as dPRM=min", found=shown(pair)
            )
        check_model_name("--aggregation", model, remedy="use another name, here and in --rewards")
        for name in names.split(","):
            try:
                aggregation = Aggregation(name)
            except ValueError:
                raise InputError(
                    f"--aggregation {model}",
                    expected=one_of(list(Aggregation)),
                    found=shown(name),
                    remedy=did_you_mean(name, list(Aggregation)),
                ) from None
            if aggregation in result.get(model, []):
                raise InputError(
                    f"--aggregation {model}", expected="each once", found=f"{name} again"
                )
            result.setdefault(model, []).append(aggregation)
    return result


def check_model_name(option: str, model: str, remedy: str = "use another name") -> None:
    """Refuse names of models that tables and figures use for something else.

    Raises:
        InputError: names the option that has it.
    """
    if not model or "=" in model or model in RESERVED_NAMES:
        raise InputError(
            option,
            expected=f"a model's name without =, and none of {', '.join(RESERVED_NAMES)}",
            found=shown(model),
            remedy=remedy,
        )


def parse_rewards(
    pairs: Sequence[str], aggregations: Mapping[str, Sequence[Aggregation]]
) -> dict[str, list[str]]:
    """The PATHs of each model with an aggregation, from `model=path` pairs.

    Raises:
        InputError: a pair is malformed, or a model lacks rewards or an aggregation.
    """
    result: dict[str, list[str]] = {model: [] for model in aggregations}
    for pair in pairs:
        model, equals, place = pair.partition("=")
        if not model or not equals or not place:
            raise InputError(
                "--rewards", expected="MODEL=PATH, such as dPRM=rewards/dPRM", found=shown(pair)
            )
        if model not in result:
            raise InputError(
                "--rewards",
                expected=f"an aggregation for {shown(model)}",
                found=f"those of {one_of(list(aggregations))}" if aggregations else "none",
                remedy=f"add --aggregation {model}=last (or min, mean, …)",
            )
        result[model].append(place)
    for model, places in result.items():
        if not places:
            raise InputError(
                "--rewards", expected=f"{model}=PATH, as it has an aggregation", found="none"
            )
    return result


Member = TypeVar("Member", bound=StrEnum)


def parse_per_model(
    option: str, words: Sequence[str], closed_set: type[Member], models: Collection[str]
) -> dict[str, Member]:
    """The value of an option for each model, from `model=word` pairs; a word alone applies to all models.

    Args:
        option: its name, for errors.
        closed_set: the enum of allowed words.

    Raises:
        InputError: a word or model is unknown, or a model is given twice.
    """
    values: dict[str, Member] = {}
    for pair in words:
        model, _, word = pair.rpartition("=")
        try:
            value = closed_set(word)
        except ValueError:
            raise InputError(
                option,
                expected=f"MODEL=WORD, and {one_of(list(closed_set))} as WORD",
                found=shown(pair),
                remedy=did_you_mean(word, list(closed_set)),
            ) from None
        if model and model not in models:
            raise InputError(
                option,
                expected=one_of(list(models)) if models else "no model, as there are no rewards",
                found=shown(model),
                remedy=did_you_mean(model, models),
            )
        for name in [model] if model else models:
            if name in values:
                raise InputError(
                    option, expected=f"one for {name}", found=f"{values[name]}, {word}"
                )
            values[name] = value
    return values
