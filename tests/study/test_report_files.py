"""What tables for readers are made from, and which of them a study has."""

from pathlib import Path

import pytest

from multirm.cli import COMMANDS, build_app
from multirm.report.page.page import tables_in
from multirm.study.load import load_study, read_yaml
from multirm.study.report_files import (
    inputs_of,
    page_places,
    report_tables_of,
    report_targets,
    report_words,
    tables_on_page,
)
from multirm.study.report_tables import REPORT_TABLES
from multirm.tables import parquet
from multirm.tables.ledger import LEDGER
from tests.origins import made_of

ROOT = Path(__file__).resolve().parents[2]
CONFIG = read_yaml(ROOT / "config" / "config.yaml")
STUDY = load_study(CONFIG, [])


@pytest.mark.parametrize("name", REPORT_TABLES)
def test_each_has_a_command_that_takes_its_inputs_and_a_caption(name: str) -> None:
    table = REPORT_TABLES[name]
    assert COMMANDS["Tables"][table.command] == (table.entry, table.says)
    assert tuple(inputs_of(STUDY, name)) == table.inputs
    words = report_words(table.inputs, None, {each: ["a/b/c/d.parquet"] for each in table.inputs})
    build_app(table.command).parse_args(
        [table.command, *words, "--output", "t.md"], exit_on_error=False
    )
    assert (ROOT / "workflow" / "report" / f"{table.module}.rst").is_file()


def test_models_are_folders_and_counts_of_critiques_have_the_name_of_their_set() -> None:
    words = report_words(("models",), None, {"models": ["results/models/m/adapter/a.safetensors"]})
    assert words == ["--models", "results/models/m/adapter"]
    words = report_words(("checks",), None, {"checks": ["results/critiques/s/gORM/checks.parquet"]})
    assert words == ["--checks", "s=results/critiques/s/gORM/checks.parquet"]


def test_datasets_are_in_the_order_of_the_study() -> None:
    tables = inputs_of(STUDY, "dataset_statistics")["solutions"]
    assert list(dict.fromkeys(table.split("/")[2] for table in tables)) == list(STUDY.datasets)


NEED_MORE = ("reply_counts", "augmentation_counts", "gains")
"""Tables of what the miniature lacks."""


def test_a_table_of_nothing_is_not_made() -> None:
    own = [name for name in REPORT_TABLES if name not in NEED_MORE]
    assert list(report_tables_of(STUDY)) == own
    assert len(report_targets(STUDY)) == (3 + 2) * 4
    assert "<results>/tables/rewards/Facts_junior.tex" in report_targets(STUDY)
    assert "<results>/tables/filtering/miniature.md" in report_targets(STUDY)
    discriminative = {name: each for name, each in CONFIG["models"].items() if name[0] == "d"}
    without = load_study(CONFIG | {"models": discriminative}, [])
    assert list(report_tables_of(without)) == ["dataset_statistics", "hyper_parameters", "rewards"]
    none = load_study(CONFIG | {"models": {}}, [])
    assert list(report_tables_of(none)) == ["dataset_statistics", "rewards"]
    grouped = CONFIG["evaluation"] | {"category_groups": {"texts": ["history", "business"]}}
    assert "gains" in report_tables_of(load_study(CONFIG | {"evaluation": grouped}, []))
    assert "gains" not in report_tables_of(
        load_study(CONFIG | {"models": {}, "evaluation": grouped}, [])
    )


def test_the_page_shows_all_tables_but_no_figures() -> None:
    targets = [
        "<results>/evaluation/D/accuracy.parquet",
        "<results>/rewards/m/D/law.parquet",
        "<results>/rewards/m/D/law.parquet",
        "<results>/figures/best_of_n/D.svg",
        "<results>/models/m/adapter/adapter_model.safetensors",
        *(f"<results>/tables/rewards/D.{suffix}" for suffix in ("parquet", "md")),
    ]
    shown = tables_on_page(STUDY, targets)
    assert shown["evaluations"] == ["<results>/evaluation/D/accuracy.parquet"]
    assert shown["tables"][:2] == [targets[1], "<results>/tables/rewards/D.parquet"]
    assert "<results>/models/dORM-mini/examples.parquet" in shown["tables"]
    without = tables_on_page(load_study(CONFIG | {"models": {}}, []), targets)
    assert len(without["tables"]) == 2


def test_the_page_shows_the_critiques_of_generative_models() -> None:
    names = [
        f"<results>/rewards/{each}/Facts_junior/history" for each in ("gORM-mini", "dORM-mini")
    ]
    shown = tables_on_page(STUDY, [f"{name}.parquet" for name in names])["tables"]
    assert f"{names[0]}.critiques.parquet" in shown
    assert f"{names[1]}.critiques.parquet" not in shown


def test_rewards_from_elsewhere_have_no_critiques() -> None:
    models = {
        "gORM-own": {
            "kind": "gORM",
            "rewards": {each: [each] for each in CONFIG["evaluation"]["datasets"]},
        }
    }
    study = load_study(CONFIG | {"models": CONFIG["models"] | models}, [])
    table = "<results>/rewards/gORM-own/Facts_junior/history"
    shown = tables_on_page(study, [f"{table}.parquet"])["tables"]
    assert f"{table}.parquet" in shown
    assert f"{table}.critiques.parquet" not in shown


def test_the_page_is_given_the_tables_of_its_study_alone(tmp_path: Path) -> None:
    # Another study has a further category in the same folder.
    for name in ("law", "law.critiques", "math", "history"):
        parquet.write(tmp_path / "D" / f"{name}.parquet", LEDGER, [], made_of())
    own = tmp_path / "filtering" / "miniature.parquet"
    parquet.write(own, LEDGER, [], made_of())
    files = [f"{tmp_path}/D/{each}.parquet" for each in ("law", "law.critiques", "math")]
    places = page_places([*files, str(own)])
    assert places == [f"{tmp_path}/D/{{law,law.critiques,math}}.parquet", str(own)]
    assert tables_in(list(map(Path, places))) == {"ledger": sorted(map(Path, [*files, own]))}
