"""The study's file: `load_study` checks everything that can be checked before any rule runs.

It fills in the defaults of the published systems, so that the study has every value that a rule uses.
"""

import importlib
import json
import logging
import math
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from multirm.errors import InputError, did_you_mean, one_of, permitted, shown, together
from multirm.running.arguments import OutputFile, entry
from multirm.running.files import whole
from multirm.study.checks import missing_sources, problems
from multirm.study.datasets import MiniatureDataset
from multirm.study.settings import UNKNOWN_KEY
from multirm.study.study import VARIANTS, Study
from multirm.study.targets import used_datasets

logger = logging.getLogger(__name__)

_CHECK_OF_MINIATURE = "multirm.data.miniature.generate:check_miniature"

# What a study has of either is a thousandth.
_MOST_BYTES, _MOST_VALUES = 10**6, 10**5


def load_study(config: Mapping[str, Any], files: Sequence[Path]) -> Study:
    """Check a study and fill in its defaults.

    Args:
        config: what was read from `files`, with settings from the command line laid over it.
        files: where the study was read from, for messages and to refuse keys written twice.

    Raises:
        InputError: keys are unknown, written twice, of the wrong type or out of range, or what they say
            cannot be together. All that is found is told.
    """
    # An empty one, which there is for the sake of Snakemake's command line, has nothing wrong in it.
    filled = [file for file in files if read_yaml(file)]
    where = ", ".join(map(str, filled or files)) or "config"
    try:
        study = Study.model_validate(config)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise together(where, [_as_input_error(where, each) for each in details]) from None
    mistakes = _inconsistent(where, problems(study))
    if mistakes:
        raise together(where, mistakes)
    return study


def _inconsistent(where: object, found: Sequence[str]) -> list[InputError]:
    return [InputError(where, expected="a consistent study", found=problem) for problem in found]


def read_yaml(path: Path) -> Any:
    """The content of a YAML file in which no mapping has a key twice.

    Raises:
        InputError: no such file, not YAML, a key written twice, or more than a study can be.
    """
    try:
        if not path.is_file():
            raise InputError(path, expected="a study in YAML", found="no such file")
        if path.stat().st_size > _MOST_BYTES:
            found = f"{path.stat().st_size:,} bytes"
            raise InputError(path, expected=f"a study of at most {_MOST_BYTES:,}", found=found)
        text = path.read_text("utf-8-sig")
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(path, expected="a study that can be read", found=reason) from error
    except ValueError as error:
        raise InputError(path, expected="YAML in UTF-8", found=str(error)) from error
    try:
        return yaml.load(text, Loader=_StudyLoader)
    except RecursionError as error:
        raise InputError(path, expected="YAML", found="one value in another without end") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}, line {mark.line + 1}" if mark else path
        raise InputError(place, expected="YAML", found=error.problem or str(error)) from error
    # PyYAML looks up and takes apart what a tag such as `!!bool` says of a value, whatever it is.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise InputError(path, expected="YAML", found=str(error) or repr(error)) from error


@entry
def check_study(study: Path, data: Path | None = None) -> None:
    """Check a study before anything is made from it, and say all that is wrong with it.

    Args:
        study: the YAML file, as it is given to Snakemake with --configfile.
        data: the folder that its sources are relative to, where not the study's `data`.

    Raises:
        InputError: what `read_yaml` or `load_study` refuses, files that are not there, and what the
            miniature cannot give.
    """
    config = read_yaml(study)
    if data is not None and isinstance(config, dict):
        config["data"] = str(data)
    checked = load_study(config, [study])
    # By name, as the command line has them: nothing that stages share imports one.
    module, name = _CHECK_OF_MINIATURE.split(":")
    check_miniature = getattr(importlib.import_module(module), name)
    mistakes = _inconsistent(study, missing_sources(checked))
    mistakes += _unmade(study, checked, check_miniature)
    if mistakes:
        raise together(study, mistakes)
    logger.info("%s is a valid study", study)


def _unmade(where: Path, study: Study, check: Callable[..., None]) -> Iterator[InputError]:
    """What of a study the miniature cannot write, as `check` finds."""
    for name in used_datasets(study):
        dataset = study.datasets[name]
        if not isinstance(dataset, MiniatureDataset):
            continue
        for category in study.categories_of(name):
            try:
                check(category, dataset.policy, dataset.split, dataset.questions, study.seed)
            except InputError as error:
                found = f"datasets.{name}: {error.found}"
                yield InputError(where, expected=error.expected, found=found, remedy=error.remedy)


@entry
def write_schema(output: OutputFile = Path("workflow/schemas/study.schema.json")) -> None:
    """Write the JSON schema of a study, which editors check config files against.

    Args:
        output: the JSON file to write.
    """
    text = json.dumps(Study.model_json_schema(), indent=2) + "\n"
    with whole(output) as part:
        part.write_text(text, "utf-8")


class _StudyLoader(yaml.SafeLoader):
    """A safe loader that refuses a key written twice, and aliases that come to more than a study can be."""

    def construct_document(self, node: yaml.Node) -> Any:
        if _written_out(node, {}) > _MOST_VALUES:
            raise yaml.MarkedYAMLError(
                problem=f"aliases that stand for more than {_MOST_VALUES:,} values",
                problem_mark=node.start_mark,
            )
        return super().construct_document(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for written, _ in node.value:
            if written.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(written, deep=True)
            if not isinstance(key, Hashable):
                continue
            if key in seen:
                problem = f"{shown(key)} twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=written.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _written_out(node: yaml.Node, known: dict[int, float]) -> float:
    """How many values a node is with every alias written out; without end where it is within itself."""
    if id(node) not in known:
        known[id(node)] = math.inf
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in parts for part in pair]
        known[id(node)] = 1 + sum(_written_out(part, known) for part in parts)
    return known[id(node)]


def _as_input_error(where: str, details: ErrorDetails) -> InputError:
    """A problem that pydantic found, in one line."""
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
    remedy = ""
    found = f"{place}: {shown(value)}".removeprefix(": ")
    if kind == UNKNOWN_KEY:
        remedy = context["hint"]
        return InputError(where, expected="known keys only", found=place, remedy=remedy)
    if kind == "missing":
        return InputError(where, expected=f"a value for {place}", found="none", remedy=remedy)
    if kind in ("enum", "literal_error"):
        remedy = did_you_mean(value, choices)
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
