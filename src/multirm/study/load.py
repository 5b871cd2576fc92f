"""Read a study's file: `load_study` checks everything that can be checked before any rule runs.

It fills in the papers' defaults, so that the study has every value that rules use.
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
from multirm.study.owners import other_studies
from multirm.study.questions import MiniatureQuestions
from multirm.study.settings import UNKNOWN_KEY
from multirm.study.study import VARIANTS, Study
from multirm.study.targets import used_datasets, used_questions

logger = logging.getLogger(__name__)

_CHECK_OF_MINIATURE = "multirm.data.miniature.generate:check_miniature"

# A thousand times what a study has of either.
_MOST_BYTES, _MOST_VALUES = 10**6, 10**5


def load_study(config: Mapping[str, Any], files: Sequence[Path]) -> Study:
    """Check a study and fill in its defaults.

    Args:
        config: the content of `files`, updated with settings from the command line.
        files: the study's files, for messages and to refuse repeated keys.

    Raises:
        InputError: keys are unknown, repeated, of the wrong type or out of range, or their values are
            inconsistent. All errors are reported together.
    """
    # An empty file, which serves Snakemake's command line, has no errors to report.
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
    """The content of a YAML file without repeated keys.

    Raises:
        InputError: no such file, not YAML, a repeated key, or larger than any study.
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
        raise InputError(path, expected="a readable file", found=reason) from error
    except ValueError as error:
        raise InputError(path, expected="YAML in UTF-8", found=str(error)) from error
    try:
        return yaml.load(text, Loader=_StudyLoader)
    except RecursionError as error:
        raise InputError(path, expected="YAML", found="values nested too deeply") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}, line {mark.line + 1}" if mark else path
        raise InputError(place, expected="YAML", found=error.problem or str(error)) from error
    # PyYAML's constructors of tags such as `!!bool` raise these for values that do not fit.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise InputError(path, expected="YAML", found=str(error) or repr(error)) from error


@entry
def check_study(study: Path, data: Path | None = None) -> None:
    """Check a study before anything is made from it, and report all errors.

    Args:
        study: the YAML file, as given to Snakemake with --configfile.
        data: the folder that its sources are relative to; by default, the study's `data`.

    Raises:
        InputError: as for `read_yaml` and `load_study`, or missing files, or more questions than the
            miniature has.
    """
    config = read_yaml(study)
    if data is not None and isinstance(config, dict):
        config["data"] = str(data)
    checked = load_study(config, [study])
    # By name, like on the command line: modules shared by stages import no stage.
    module, name = _CHECK_OF_MINIATURE.split(":")
    check_miniature = getattr(importlib.import_module(module), name)
    mistakes = _inconsistent(study, missing_sources(checked))
    mistakes += _unmade(study, checked, check_miniature)
    if mistakes:
        raise together(study, mistakes)
    logger.info("%s is a valid study; its results are made in %s", study, checked.results)
    others = other_studies(checked.study, Path(checked.results))
    if others:
        logger.info(
            "%s has results of %s, too: this study shares what is the same in both, and replaces only their page. "
            "To make both, name another folder (`results: %s`)",
            *(checked.results, ", ".join(others), f"{checked.results}-{checked.study}"),
        )


def _unmade(where: Path, study: Study, check: Callable[..., None]) -> Iterator[InputError]:
    """Errors in what a study asks of the miniature, as `check` finds."""
    asked: list[tuple[str, MiniatureDataset | MiniatureQuestions, list[str]]] = []
    for name in used_datasets(study):
        if isinstance(dataset := study.datasets[name], MiniatureDataset):
            asked.append((f"datasets.{name}", dataset, study.categories_of(name)))
    for name, categories in used_questions(study).items():
        if isinstance(questions := study.questions[name], MiniatureQuestions):
            asked.append((f"questions.{name}", questions, categories))
    for key, settings, categories in asked:
        policy = settings.policy if isinstance(settings, MiniatureDataset) else None
        for category in categories:
            try:
                check(category, policy, settings.split, settings.questions, study.seed)
            except InputError as error:
                found = f"{key}: {error.found}"
                yield InputError(where, expected=error.expected, found=found, remedy=error.remedy)


@entry
def write_schema(output: OutputFile = Path("workflow/schemas/study.schema.json")) -> None:
    """Write the JSON schema of a study, with which editors check config files.

    Args:
        output: the JSON file to write.
    """
    text = json.dumps(Study.model_json_schema(), indent=2) + "\n"
    with whole(output) as part:
        part.write_text(text, "utf-8")


class _StudyLoader(yaml.SafeLoader):
    """A safe loader that refuses repeated keys, and aliases that expand to more than any study has."""

    def construct_document(self, node: yaml.Node) -> Any:
        if _written_out(node, {}) > _MOST_VALUES:
            raise yaml.MarkedYAMLError(
                problem=f"aliases that expand to more than {_MOST_VALUES:,} values",
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
    """The number of values in a node with all aliases expanded; infinite if it contains itself."""
    if id(node) not in known:
        known[id(node)] = math.inf
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in parts for part in pair]
        known[id(node)] = 1 + sum(_written_out(part, known) for part in parts)
    return known[id(node)]


def _as_input_error(where: str, details: ErrorDetails) -> InputError:
    """A problem that pydantic found, as an error of one line."""
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
            # pydantic adds the variant to the path, after the name.
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
