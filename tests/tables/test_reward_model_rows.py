"""The known facts about reward models, from their table or from names alone."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.reward_model_rows import (
    RewardModel,
    describe,
    from_names,
    labels_in,
    labels_of_shown,
    means_of,
    runs_of,
    with_means,
)
from multirm.tables.reward_models import REWARD_MODELS, FormatName, Kind, mean_name, run_name
from tests.origins import made_of


def test_names_imply_runs_and_means() -> None:
    names = ["dORM", run_name("dORM", 0), mean_name("dORM")]
    found = from_names(names)
    assert [each.run_of for each in found] == ["dORM"] * 3
    assert [each.seed for each in found] == [None, 0, None]
    assert [each.is_mean for each in found] == [False, False, True]


@pytest.mark.parametrize(
    "name", ["model@main", "@43", "a@b@", "a@-1", "a@mean ", "a@٤٣", "a@" + "1" * 5000]
)
def test_other_names_are_models(name: str) -> None:
    assert from_names([name]) == [RewardModel(model=name, run_of=name)]


def test_the_mean_is_before_the_first_run() -> None:
    models = from_names(["b@7", "a", "c", "a@43"])
    found = with_means(models)
    assert [each.model for each in found] == ["b@7", "a@mean", "a", "c", "a@43"]
    assert means_of(models) == means_of(found) == {"a@mean": ["a", "a@43"]}
    assert runs_of(found) == {"b": ["b@7"], "a": ["a", "a@43"], "c": ["c"]}


def test_a_mean_has_its_model_and_no_seed() -> None:
    runs = [
        RewardModel(model="mine", run_of="mine", kind=Kind.DPRM, backbone="small", seed=1),
        RewardModel(model="my second", run_of="mine", kind=Kind.DPRM, backbone="small", seed=2),
    ]
    mean = with_means(runs)[0]
    assert (mean.model, mean.run_of, mean.is_mean) == ("mine@mean", "mine", True)
    assert (mean.kind, mean.backbone, mean.seed) == (Kind.DPRM, "small", None)


def test_means_replace_their_runs() -> None:
    models = from_names(["b@7", "a@mean", "a", "a@43", "c"])
    assert labels_of_shown(models) == {"b@7": "b@7", "a@mean": "a (2 seeds)", "c": "c"}


def test_labels_are_those_of_the_models_in_the_rows() -> None:
    rows = [{"dataset": "d", "model": name} for name in ("a", None, "b@mean", "b", "b@2", "a")]
    assert labels_in(rows, []) == {"a": "a", "b@mean": "b (2 seeds)"}
    assert labels_in(rows[1:2], []) == labels_in([], []) == {}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    models = [
        RewardModel(
            model="one",
            run_of="one",
            kind=Kind.GORM,
            seed=1,
            learned_from=["MMLU"],
            critiques="by a teacher",
            format=FormatName.MULTI_RM,
        ),
        # The same name on two datasets, and a model whose name looks like that of a run.
        RewardModel(model="one@2", run_of="one@2"),
    ]
    rows = [each.columns(dataset) for dataset in ("junior", "senior") for each in models]
    parquet.write(tmp_path / "models.parquet", REWARD_MODELS, rows, made_of())
    return tmp_path / "models.parquet"


@pytest.mark.parametrize(
    ("version", "lacking"),
    [(1, {"training_categories", "noise_baseline"}), (2, {"noise_baseline"})],
)
def test_tables_of_earlier_versions_are_read_with_nulls(
    tmp_path: Path, table: Path, version: int, lacking: set[str]
) -> None:
    columns = [each for each in REWARD_MODELS.columns if each.name not in lacking]
    earlier = replace(REWARD_MODELS, version=version, columns=pa.schema(columns), older={})
    rows = [
        {name: value for name, value in row.items() if name not in lacking}
        for row in parquet.read(table, REWARD_MODELS).to_pylist()
    ]
    path = tmp_path / "earlier.parquet"
    parquet.write(path, earlier, rows, made_of())
    assert parquet.read_footer(path).schema_version == version
    now = describe(["one", "one@2"], "senior", [table])
    assert describe(["one", "one@2"], "senior", [path]) == now
    assert now[0].critiques == "by a teacher"
    assert {getattr(each, name) for each in now for name in lacking} == {None}


def test_the_table_counts_rather_than_the_names(table: Path) -> None:
    found = describe(["one@2", "one"], "senior", [table])
    assert [each.model for each in found] == ["one@2", "one"]
    assert means_of(found) == {}
    assert found[1].kind is Kind.GORM
    assert found[1].learned_from == ["MMLU"]
    assert found[1].format is FormatName.MULTI_RM
    assert means_of(describe(["one@2", "one"], "senior", [])) == {"one@mean": ["one@2", "one"]}


def test_a_model_that_the_table_lacks(table: Path) -> None:
    with pytest.raises(InputError, match=r"models\.parquet: expected 'ones' on 'junior'.*one\?"):
        describe(["ones"], "junior", [table])
    with pytest.raises(InputError, match="found nothing on 'medium'; describe all"):
        describe(["one"], "medium", [table])
    with pytest.raises(InputError, match="expected 'ones' on 'junior'"):
        labels_in([{"dataset": "junior", "model": "ones"}], [table])


@pytest.mark.parametrize(("column", "value"), [("kind", "xPRM"), ("format", "unheard of")])
def test_a_value_outside_its_closed_set(tmp_path: Path, column: str, value: str) -> None:
    row = RewardModel(model="one", run_of="one").columns("junior") | {column: value}
    with pytest.raises(InputError, match=f"expected a {column}, .* or null, found '{value}'"):
        parquet.write(tmp_path / "models.parquet", REWARD_MODELS, [row], made_of())


def test_a_mean_without_its_runs_keeps_its_name() -> None:
    assert labels_of_shown(from_names(["a@mean", "b"])) == {"a@mean": "a@mean", "b": "b"}
