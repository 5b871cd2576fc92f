"""What a study makes, and which names its rules accept."""

import re
from pathlib import Path
from typing import Any

from multirm.study import files, options, targets
from multirm.study.figures import FIGURES, datasets_of
from multirm.study.load import load_study, read_yaml
from multirm.study.study import Study

MINIATURE = Path(__file__).resolve().parents[2] / "config" / "config.yaml"


def study(**changes: Any) -> Study:
    return load_study(read_yaml(MINIATURE) | changes, [])


def test_a_pattern_matches_the_names_and_no_other() -> None:
    pattern = targets.any_of(["a.b", "c", "c"])
    assert pattern.count("c") == 1
    assert [bool(re.fullmatch(pattern, name)) for name in ("a.b", "c", "axb", "")] == [
        *(True, True, False, False)
    ]
    assert not re.fullmatch(targets.any_of([]), "")


def test_each_model_is_trained_and_scored_by_one_rule() -> None:
    config = read_yaml(MINIATURE)
    config["models"]["dPRM-mini"]["scoring"] = {"shards": 2}
    config["models"]["theirs"] = {
        "kind": "dORM",
        "rewards": {"Facts_junior": ["a/b"], "Facts_senior": ["c/d"]},
    }
    found = load_study(config, [])
    discriminative, generative = ("dORM", "dPRM"), ("gORM", "gPRM")
    patterns = [
        targets.scored(found, *kinds, in_shards=in_shards)
        for kinds in (discriminative, generative)
        for in_shards in (False, True)
    ] + [targets.external_models(found)]
    for name in found.runs:
        assert sum(bool(re.fullmatch(pattern, name)) for pattern in patterns) == 1
    trained = targets.models_of_kinds(found, *discriminative)
    assert sorted(trained.split("|")) == ["dORM\\-mini", "dPRM\\-mini"]


def test_critiques_are_generated_or_read() -> None:
    found = study()
    assert targets.critique_sets(found, external=False) == "facts"
    assert targets.critique_sets(found, external=True) == targets.any_of([])


def test_each_model_is_trained_on_its_own_set() -> None:
    config = read_yaml(MINIATURE)
    config["critiques"]["short"] = config["critiques"]["facts"] | {"max_tokens": 80}
    config["models"]["gORM-short"] = config["models"]["gORM-mini"] | {"critiques": "short"}
    found = load_study(config, [])
    assert targets.used_critiques(found) == [
        ("facts", "gORM"),
        ("facts", "gPRM"),
        ("short", "gORM"),
    ]
    folder = "<results>/critiques/short/gORM"
    assert {f"{folder}/generated/history.parquet", f"{folder}/checks.parquet"} <= {
        *targets.critique_targets(found)
    }
    del config["models"]["gORM-short"]
    assert not any("/short/" in file for file in targets.critique_targets(load_study(config, [])))


def test_critiques_generated_for_one_set_are_filtered_for_another() -> None:
    config = read_yaml(MINIATURE)
    config["datasets"]["Noisy"] = {"from": "Facts_train", "noise": {"steps": 0.1}}
    config["critiques"]["noisy"] = {"from": "facts", "dataset": "Noisy"}
    del config["models"]["gORM-mini"]
    config["models"]["gPRM-mini"]["critiques"] = "noisy"
    found = load_study(config, [])
    assert targets.sets_with_teacher(found) == "facts"
    assert set(targets.critique_sets(found, external=False).split("|")) == {"facts", "noisy"}
    folder = "<results>/critiques"
    assert files.generated_critiques(found, "noisy", "gPRM", "history") == (
        f"{folder}/facts/gPRM/generated/history.parquet"
    )
    wanted = targets.critique_targets(found)
    assert {file.removeprefix(f"{folder}/").rsplit("/", 1)[0] for file in wanted} == {
        *("facts/gPRM/generated", "noisy/gPRM/filtered", "noisy/gPRM/shortened", "noisy/gPRM"),
    }
    assert targets.used_backbones(found) == ["mini"]
    assert {"Noisy", "Facts_train"} <= {*targets.used_datasets(found)}
    assert options.relabelled(found, "noisy") == ["--dataset", "Noisy"]
    assert options.relabelled(found, "facts") == []
    assert found.critiques_of("gPRM-mini").teacher == "mini"


def test_demonstrated_critiques_are_filtered_as_a_teachers_are() -> None:
    config = read_yaml(MINIATURE)
    config["critiques"]["facts"] = {"dataset": "Facts_train", "demonstrated": True}
    found = load_study(config, [])
    assert targets.sets_with_teacher(found) == targets.any_of([])
    assert targets.critique_sets(found, external=False) == "facts"
    demonstrated = "<results>/demonstrations/gPRM/Facts_train/history.parquet"
    assert files.generated_critiques(found, "facts", "gPRM", "history") == demonstrated
    wanted = targets.critique_targets(found)
    assert demonstrated in wanted
    assert "<results>/critiques/facts/gPRM/filtered/history.parquet" in wanted
    assert not any("/generated/" in file for file in wanted)


def test_only_what_is_used_is_made() -> None:
    config = read_yaml(MINIATURE)
    for name in ("gORM-mini", "gPRM-mini", "dPRM-mini"):
        del config["models"][name]
    config["backbones"]["unused"] = {"model": "owner/unused", "parameters": 1e9}
    config["datasets"]["Unused"] = config["datasets"]["Facts_senior"]
    found = load_study(config, [])
    assert targets.used_backbones(found) == ["mini"]
    assert "Unused" not in targets.used_datasets(found)
    assert targets.critique_targets(found) == targets.used_critiques(found) == []
    assert not any("Unused" in file for file in targets.data_targets(found))


def test_intermediate_files_are_targets() -> None:
    found = study(training_seeds=[1, 2])
    critiques = targets.critique_targets(found)
    assert len(critiques) == 2 * 3 * 4 + 2
    assert "<results>/critiques/facts/gPRM/generated/history.parquet" in critiques
    assert len(targets.scoring_targets(found)) == 8 * 2 * 4
    assert "<results>/models/dPRM-mini@2/adapter/adapter_model.safetensors" in (
        targets.training_targets(found)
    )
    # Eighteen figures of each dataset, and two of both.
    figures = targets.figure_targets(found)
    assert len(figures) == (2 * 18 + 2) * 4
    assert "<results>/figures/datasets_best_of_n/miniature.pdf" in figures


def test_one_dataset_is_not_drawn_beside_others() -> None:
    config = read_yaml(MINIATURE)
    config["evaluation"]["datasets"] = ["Facts_junior"]
    figures = targets.figure_targets(load_study(config, []))
    assert not any("datasets_" in figure for figure in figures)


def test_a_dataset_without_answers_has_no_accuracies() -> None:
    config = read_yaml(MINIATURE)
    config["datasets"]["Bench"] = {"reader": "processbench", "source": ["x"], "categories": ["a"]}
    config["datasets"]["Part"] = {"from": "Bench", "take": {"questions": 3}}
    config["evaluation"]["datasets"] = ["Part", "Facts_junior"]
    found = load_study(config, [])
    assert [found.has_answers(name) for name in ("Bench", "Part", "Facts_junior")] == [
        *(False, False, True)
    ]
    tables = targets.evaluation_targets(found)
    folder = "<results>/evaluation/Part"
    own = [table for table in tables if table.startswith(folder)]
    assert f"{folder}/verification.parquet" in own
    assert not {"accuracy.parquet", "variance.parquet"} & {Path(table).name for table in own}
    assert not any("/paper/" in table for table in own)
    assert datasets_of(found, *FIGURES["best_of_n"].tables) == ["Facts_junior"]
    assert not any("datasets_" in figure for figure in targets.figure_targets(found))
    assert files.accuracy_tables(found, "r") == ["r/evaluation/Facts_junior/accuracy.parquet"]
