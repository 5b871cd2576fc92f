"""Titles of all figures with long names: lines of whole words, and the dataset, even where there is nothing to show."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from multirm.figures import theme
from multirm.study.figures import FIGURES, Figure
from multirm.tables import parquet
from multirm.tables.accuracy import Selection
from multirm.tables.registry import SCHEMAS
from multirm.tables.reward_models import REWARD_MODELS, Kind
from multirm.tables.schema import Schema
from tests.figures.described import described
from tests.origins import made_of

DATASET = "MMLU-Pro_Llama-3.1-70B-Instruct_shuffled_50"
MODELS = ["dPRM-Skywork-Reward-V2-Llama-3.1-8B-all", "dORM-Skywork-Reward-V2-Llama-3.1-8B-law"]
CATEGORIES = ["Overall", "computer_science", "a_category_with_a_long_name"]

# Values of closed sets, and numbers that are not shares.
VALUES: dict[str, Any] = {
    "dataset": DATASET,
    "before": DATASET,
    "kind": "gORM",
    "aggregation": "min",
    "other_aggregation": "min",
    "selection": "best_of_n",
    "other_selection": "majority_vote",
    "estimator": "exact",
    "family": "primary",
    "domain": "in_domain",
    "other_model": MODELS[1],
    "trained_on": "law",
    "group": "all",
    "part": "train",
    "learned_from": "train",
    "critiques": "set",
    "case": "independent",
    "bound_kind": "lower",
    "threshold": 0.5,
    "note": None,
    "difference_note": None,
    "other_categories": None,
    "source": "judge",
    "error_type": "factual",
    "n_by_part": [1, 1, 1, 1, 0],
    "n_good_by_share": [0, 2],
    "n_bad_by_share": [1, 0],
    "n_unsure_by_share": [1, 0],
    "n_guessed_by_share": [3.5, 0.5],
}


def row_of(schema: Schema, category: str, model: str) -> dict[str, Any]:
    """A row whose numbers are all alike."""

    def value(field: pa.Field) -> Any:
        own = {"category": category, "model": model}
        if field.name in own | VALUES:
            return (own | VALUES)[field.name]
        if pa.types.is_floating(field.type):
            return 0.5
        if pa.types.is_integer(field.type):
            return 4
        if pa.types.is_boolean(field.type):
            return True
        return MODELS if pa.types.is_list(field.type) else "any"

    return {field.name: value(field) for field in schema.columns}


def write_tables(folder: Path, figure: Figure, is_empty: bool) -> dict[str, Path]:
    """The tables that a figure is drawn from, of the dataset that the reward models are of."""
    known = described({MODELS[0]: Kind.DPRM, MODELS[1]: Kind.DORM})
    paths = {}
    for name in figure.every_table:
        schema = SCHEMAS[name]
        rows = [row_of(schema, category, model) for category in CATEGORIES for model in MODELS]
        # Tables without categories or models have fewer rows.
        unique = {tuple(map(str, row.values())): row for row in rows}
        paths[name] = folder / f"{name}.parquet"
        if schema is REWARD_MODELS:
            parquet.write(paths[name], schema, [each.columns(DATASET) for each in known], made_of())
        else:
            # Tables that are the same for all datasets are never empty.
            none = is_empty and name in figure.tables
            parquet.write(paths[name], schema, [] if none else list(unique.values()), made_of())
    return paths


def drawn(figure: Figure, tables: dict[str, Path], output: Path) -> str:
    module, name = figure.entry.split(":")
    draw = inspect.unwrap(getattr(importlib.import_module(module), name))
    words: dict[str, Any] = {}
    for option, parameter in inspect.signature(draw).parameters.items():
        if option in tables:
            is_several = str(parameter.annotation).startswith("list")
            words[option] = [tables[option]] if is_several else tables[option]
    if "selection" in inspect.signature(draw).parameters:
        words["selection"] = Selection.BEST_OF_N
    draw(output=[output], **words)
    return output.read_text(encoding="utf-8")


def lines_of(svg: str, size: float, colour: str) -> Iterator[str]:
    """The lines of text of a size and a colour."""
    look = rf'<text[^>]*font-size="{size:g}px"[^>]*fill="{colour}"[^>]*>(.*?)</text>'
    for text in re.findall(look, svg):
        yield from re.findall(r"<tspan[^>]*>(.*?)</tspan>", text) or [text]


# The legend has no title, and what is evaluated is never without accuracies or changes, nor a study without a name.
EMPTY = [
    name
    for name in FIGURES
    if not {"legend", "shuffled", "augmented_steps"} & {name} and not name.startswith("noise")
]


def folder_of(figure: Figure, path: Path) -> Path:
    """The folder of its tables, which has the dataset's name if nothing else says it."""
    folder = path / ("tables" if "reward_models" in figure.tables else DATASET)
    folder.mkdir()
    return folder


def check_title(svg: str) -> None:
    title = list(lines_of(svg, theme.LARGE, theme.INK))
    assert " ".join(title).endswith(f" on {DATASET}")
    assert any(DATASET in line for line in title)


@pytest.mark.parametrize("name", EMPTY)
def test_a_title_says_of_what_even_if_there_is_nothing(tmp_path: Path, name: str) -> None:
    figure = FIGURES[name]
    tables = write_tables(folder_of(figure, tmp_path), figure, is_empty=True)
    check_title(drawn(figure, tables, tmp_path / "figure.svg"))


@pytest.mark.parametrize("name", [name for name in FIGURES if name != "legend"])
def test_no_line_of_a_title_ends_within_a_name(tmp_path: Path, name: str) -> None:
    figure = FIGURES[name]
    tables = write_tables(folder_of(figure, tmp_path), figure, is_empty=False)
    svg = drawn(figure, tables, tmp_path / "figure.svg")
    check_title(svg)
    # Sentences below a title may name models, too.
    said = " ".join(lines_of(svg, theme.SMALL, theme.FAINT_INK))
    assert not [part for part in said.split() if part.endswith(("-", "_", "/"))]
