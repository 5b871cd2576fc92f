"""Which evaluations there are, and which settings their commands take."""

from pathlib import Path

import pytest

from multirm.cli import COMMANDS
from multirm.errors import InputError
from multirm.study.evaluations import (
    EVALUATIONS,
    compares_domains,
    evaluations_of,
    missing_tables,
)
from multirm.study.figures import FIGURES, drawn_of, figures_of
from multirm.study.load import load_study, read_yaml
from multirm.study.options import aggregations
from multirm.study.targets import evaluation_targets
from multirm.tables.registry import SCHEMAS

MINIATURE = Path(__file__).resolve().parents[2] / "config" / "config.yaml"


def test_settings_become_options() -> None:
    config = read_yaml(MINIATURE) | {"seed": 7}
    config["evaluation"] |= {"n": [1, 4], "runs": 5, "answers": "strict"}
    study = load_study(config, [])
    assert EVALUATIONS["measure_uncertainty"].words(study) == [
        "--answers strict",
        "--n 1 4",
        "--runs 5",
        "--seed 7",
    ]
    assert EVALUATIONS["evaluate_verification"].words(study) == ["--answers strict", "--seed 7"]


def test_a_study_without_groups_has_no_table_of_them() -> None:
    config = read_yaml(MINIATURE)
    evaluating = EVALUATIONS["evaluate"]
    without = load_study(config, [])
    assert not any("groups" in word for word in evaluating.words(without))
    assert "category_groups" not in evaluating.tables_of(without)
    assert "category_groups" in missing_tables(without, "Facts_junior")
    groups = {"sciences": ["chemistry", "computer_science"], "texts": ["history"]}
    config["evaluation"]["category_groups"] = groups
    study = load_study(config, [])
    assert evaluating.words(study)[-1] == (
        "--category-groups sciences=chemistry,computer_science texts=history"
    )
    assert evaluating.tables_of(study)[-1] == "category_groups"
    assert "category_groups" not in missing_tables(study, "Facts_junior")


def test_a_study_may_evaluate_by_published_protocols() -> None:
    config = read_yaml(MINIATURE)

    def made(*protocols: str) -> set[str]:
        config["evaluation"]["protocols"] = list(protocols)
        folder = "<results>/evaluation/Facts_junior/"
        names = [
            target.removeprefix(folder)
            for target in evaluation_targets(load_study(config, []))
            if target.startswith(folder)
        ]
        return {name for name in names if "/" in name}

    paper = {f"paper/{file}" for file in ("accuracy.parquet", "best_of_n.csv", "weighted_vote.csv")}
    versaprm = {f"versaprm/accuracy_over_seeds.{suffix}" for suffix in ("parquet", "csv")}
    assert made() == set()
    assert made("paper", "versaprm") == paper | versaprm
    assert made("versaprm") == versaprm
    assert made("openprm") == {"openprm/accuracy.parquet"}
    del config["evaluation"]["protocols"]
    assert load_study(config, []).evaluation.protocols == ["paper"]
    with pytest.raises(InputError, match="expected paper, versaprm or openprm, found evaluation"):
        made("exact")


def test_several_aggregations_at_n_to_128() -> None:
    """VersaPRM's table: best-of-N and weighted vote for the minimum, the last and the mean of step rewards."""
    config = read_yaml(MINIATURE)
    config["datasets"]["Facts_junior"]["solutions"] = 128
    config["evaluation"] |= {
        "datasets": ["Facts_junior"],
        "n": [1, 2, 4, 8, 16, 32, 64, 128],
        "aggregation": {"dPRM-mini": ["min", "last", "mean"]},
    }
    study = load_study(config, [])
    assert "--n 1 2 4 8 16 32 64 128" in EVALUATIONS["evaluate"].words(study)
    assert [each for each in aggregations(study) if each.startswith("dPRM")] == [
        *("dPRM-mini=min", "dPRM-mini=last", "dPRM-mini=mean"),
    ]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"history": ["chemistry"]}, "category_groups.history: history is a category"),
        ({"History": ["chemistry"]}, "category_groups.History: History is a category"),
        ({"texts": ["histroy"]}, "histroy is not evaluated; did you mean history"),
        ({"texts": []}, "at least 1 item"),
        ({"texts": ["history", "history"]}, "history twice"),
        ({"Overall": ["history"]}, "Overall is the average over categories"),
        ({"a b": ["history"]}, "a name of letters"),
        ({"some": ["history", "business"]}, "Facts_senior has no business; leave out what not"),
    ],
)
def test_impossible_groups_are_refused(groups: dict[str, list[str]], message: str) -> None:
    config = read_yaml(MINIATURE)
    config["datasets"]["Facts_senior"]["categories"] = ["history", "chemistry"]
    config["evaluation"]["category_groups"] = groups
    with pytest.raises(InputError, match=message):
        load_study(config, [])


def test_models_trained_without_a_category_are_compared_with_those_trained_on_all() -> None:
    config = read_yaml(MINIATURE)
    names = config["categories"]

    def is_made(**changes: object) -> bool:
        models = config["models"] | {"dPRM-less": config["models"]["dPRM-mini"] | changes}
        return compares_domains(load_study(config | {"models": models}, []))

    assert is_made(categories=names[1:])
    assert is_made(categories=names[:1])
    assert not is_made(categories=names[2:])
    assert not is_made()
    config["datasets"]["Few"] = {"from": "Facts_train", "take": {"questions": 25}}
    assert not is_made(categories=names[1:], dataset="Few")


@pytest.mark.parametrize("name", EVALUATIONS)
def test_each_has_a_command_and_makes_known_tables(name: str) -> None:
    evaluating = EVALUATIONS[name]
    commands = {name: target for group in COMMANDS.values() for name, (target, _) in group.items()}
    assert commands[evaluating.command].startswith(f"multirm.evaluation.{evaluating.module}:")
    assert {*evaluating.tables, *evaluating.of_groups} <= set(SCHEMAS)


def test_right_solutions_are_compared_with_their_corruptions(tmp_path: Path) -> None:
    """Where there are such, also without answers to select; and only there."""
    source = tmp_path / "prm.jsonl"
    source.write_text("{}\n")
    config = read_yaml(MINIATURE) | {"data": str(tmp_path)}
    figure = FIGURES["error_depths"]
    assert "error_depths" not in figures_of(load_study(config, []))
    config["datasets"] |= {
        "Corrupted": {"reader": "prmbench", "source": ["prm.jsonl"], "categories": ["history"]},
        "Some": {"from": "Corrupted", "take": {"questions": 2}},
        "Erroneous": {"reader": "processbench", "source": ["prm.jsonl"], "categories": ["history"]},
    }
    config["evaluation"]["datasets"] += ["Corrupted", "Some", "Erroneous"]
    study = load_study(config, [])
    compared = {
        name: "measure-error-depths" in {each.command for each in evaluations_of(study, name)}
        for name in study.evaluation.datasets
    }
    assert {name for name, is_made in compared.items() if is_made} == {"Corrupted", "Some"}
    assert "error_depths" in figures_of(study)
    assert drawn_of(study, figure) == ["Corrupted", "Some"]
