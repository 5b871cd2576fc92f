"""The study's file: `load_study` checks everything that can be checked before any rule runs.

It fills in the defaults of the published systems, so that every value a rule uses stands in the result.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from multirm.arguments import OutputFile, entry
from multirm.errors import InputError, shown
from multirm.files import whole
from multirm.prompts import load_template
from multirm.spelling import did_you_mean, one_of, permitted
from multirm.study import VARIANTS, Study
from multirm.vocabulary import Kind, model_of, trained_name

logger = logging.getLogger(__name__)


def load_study(config: Mapping[str, Any], files: list[Path]) -> dict[str, Any]:
    """The study with its defaults filled in, as plain values.

    Args:
        config: what was read from `files`, with settings from the command line laid over it.
        files: where the study was read from, for messages and to refuse keys written twice.

    Raises:
        InputError: a key is unknown, written twice, of the wrong type or out of range, a name is used
            that the study does not define, or a prompt template cannot be used.
    """
    # An empty one, which there is for the sake of Snakemake's command line, has nothing wrong in it.
    filled = [file for file in files if read_yaml(file)]
    where = ", ".join(map(str, filled or files)) or "config"
    try:
        study = Study.model_validate(config)
    except ValidationError as error:
        raise _as_input_error(where, error) from None
    for kind, template in study.templates:
        if template:
            load_template(Path(template), Kind(kind))
    values = study.model_dump(mode="json")
    for dataset in values["datasets"].values():
        dataset["categories"] = dataset["categories"] or values["categories"]
    for name, backbone in study.backbones.items():
        values["backbones"][name]["parameters"] = backbone.size
    values["training_seeds"] = values["training_seeds"] or [study.seed]
    values["models"] = dict(_trainings(values["models"], values["training_seeds"]))
    aggregation = values["evaluation"]["aggregation"]
    values["evaluation"]["aggregation"] = {
        name: aggregation.get(model_of(name), Kind(model["kind"]).default_aggregation)
        for name, model in values["models"].items()
    }
    return values


def _trainings(
    models: Mapping[str, dict[str, Any]], seeds: Sequence[int]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every training of every reward model, under a name of its own and with its seed."""
    for name, model in models.items():
        if "training" not in model:
            yield name, model
            continue
        for seed in seeds:
            training = {**model["training"], "seed": seed}
            trained = name if seed == seeds[0] else trained_name(name, seed)
            yield trained, {**model, "training": training}


def read_yaml(path: Path) -> Any:
    """The content of a YAML file in which no mapping has a key twice.

    Raises:
        InputError: no such file, not YAML, or a key written twice.
    """
    if not path.is_file():
        raise InputError(path, expected="a study in YAML", found="no such file")
    try:
        return yaml.load(path.read_text("utf-8"), Loader=_UniqueKeyLoader)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}" if mark else path
        raise InputError(
            place, expected="YAML", found=getattr(error, "problem", None) or str(error)
        ) from error


@entry
def check_study(study: Path) -> None:
    """Check a study before anything is made from it.

    Args:
        study: the YAML file, as it is given to Snakemake with --configfile.

    Raises:
        InputError: what `read_yaml` or `load_study` refuses.
    """
    load_study(read_yaml(study), [study])
    logger.info("%s is a valid study", study)


@entry
def write_schema(output: OutputFile = Path("workflow/schemas/study.schema.json")) -> None:
    """Write the JSON schema of a study, which editors check config files against.

    Args:
        output: the JSON file to write.
    """
    text = json.dumps(Study.model_json_schema(), indent=2) + "\n"
    with whole(output) as part:
        part.write_text(text, "utf-8")


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses a mapping with the same key twice instead of keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                raise yaml.MarkedYAMLError(
                    problem=f"{key!r} twice", problem_mark=node.value[position][0].start_mark
                )
        return super().construct_mapping(node, deep=deep)


def _as_input_error(where: str, error: ValidationError) -> InputError:
    """The first problem that pydantic found, in one line."""
    details = error.errors(include_url=False)[0]
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    path = [str(part) for part in details["loc"]]
    if kind.startswith("union_tag") and isinstance(value, Mapping):
        key, choices = VARIANTS[path[0]]
        path.append(key)
        kind = "enum" if key in value else "missing"
        value = value.get(key)
    else:
        choices = tuple(re.findall(r"'([^']*)'", context.get("expected", "")))
        if path and path[0] in VARIANTS:
            # pydantic puts the variant into the path, after the box's name.
            del path[2:3]
    place = ".".join(path)
    more = error.error_count() - 1
    remedy = f"{more} more after this" if more else ""
    found = f"{place}: {shown(value)}".removeprefix(": ")
    if kind == "unknown_key":
        place, remedy = ".".join([*path, context["key"]]), context["hint"]
        return InputError(where, expected="known keys only", found=place, remedy=remedy)
    if kind == "missing":
        return InputError(where, expected=f"a value for {place}", found="none", remedy=remedy)
    if kind in ("enum", "literal_error"):
        remedy = did_you_mean(value, choices) or remedy
        return InputError(where, expected=one_of(choices), found=found, remedy=remedy)
    if kind == "string_pattern_mismatch":
        expected = "a name of letters, digits, '_' and '-', with '.' and '-' never first, '.' never last or doubled"
        return InputError(where, expected=expected, found=found, remedy=remedy)
    if kind == "value_error":
        message = details["msg"].removeprefix("Value error, ")
        found = f"{place}: {message}".removeprefix(": ")
        return InputError(where, expected="a consistent study", found=found, remedy=remedy)
    if kind in ("dict_type", "model_type", "model_attributes_type") or kind.startswith("union_tag"):
        return InputError(where, expected="keys with values", found=found, remedy=remedy)
    return InputError(where, expected=permitted(details["msg"]), found=found, remedy=remedy)
