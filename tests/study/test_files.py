"""The files that a job reads: those that the study names, and none of another dataset, model or kind."""

from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.study import files
from multirm.study.load import load_study, read_yaml
from multirm.study.study import Study

MINIATURE = Path(__file__).resolve().parents[2] / "config" / "config.yaml"
OF_TRAIN = [
    f"<results>/data/Facts_train/{category}.parquet"
    for category in ("chemistry", "history", "business", "computer_science")
]


def study(**changes: Any) -> Study:
    return load_study(read_yaml(MINIATURE) | changes, [])


def read_study(tmp_path: Path) -> Study:
    """A study of external data, critiques and rewards in a folder."""
    for name in ("math.json", "math_reward.json", "preprocessed_math.json"):
        (tmp_path / name).write_text("[]")
    return study(
        data=str(tmp_path),
        categories=["math"],
        datasets={"Theirs": {"reader": "published", "source": ["."]}},
        backbones={"small": {"model": "owner/small", "parameters": 1e6}},
        critiques={
            "theirs": {
                "dataset": "Theirs",
                "published": {"gORM": ["."], "gPRM": ["owner/critiques"]},
            }
        },
        models={"theirs": {"kind": "dPRM", "rewards": {"Theirs": ["."]}}},
        evaluation={"datasets": ["Theirs"]},
    )


def test_a_model_reads_its_training_data() -> None:
    found = study()
    assert files.training_solutions(found, "dORM-mini") == OF_TRAIN
    assert files.training_solutions(found, "gORM-mini") == OF_TRAIN
    assert files.training_critiques(found, "gPRM-mini")[1] == (
        "<results>/critiques/facts/gPRM/shortened/history.parquet"
    )
    assert files.backbone_files_of_model(found, "dORM-mini") == [
        f"results/backbones/mini/model/{name}"
        for name in ("config.json", "model.safetensors", "tokenizer.json")
    ]


def test_a_single_domain_model_reads_its_own_category_alone() -> None:
    config = read_yaml(MINIATURE)
    for name in ("dORM", "gORM"):
        settings = config["models"][f"{name}-mini"] | {"categories": ["history"]}
        config["models"][f"{name}-history"] = settings
    found = load_study(config, [])
    table = "<results>/critiques/facts/{}/shortened/{}.parquet"
    for model in ("dORM-history", "gORM-history"):
        assert files.training_solutions(found, model) == OF_TRAIN[1:2]
        assert len(files.training_solutions(found, model.replace("history", "mini"))) == 4
        # It is evaluated on all categories nevertheless.
        assert len(files.reward_tables(found, model, "Facts_junior")) == 4
    assert files.training_critiques(found, "gORM-history") == [table.format("gORM", "history")]
    assert len(files.critique_tables(found, "facts", "gORM")) == 4
    # Without the multi-domain model, only critiques of one category are made.
    del config["models"]["gORM-mini"]
    found = load_study(config, [])
    assert files.critique_tables(found, "facts", "gORM") == [table.format("gORM", "history")]
    assert len(files.critique_tables(found, "facts", "gPRM")) == 4


def test_a_backbone_reads_the_solutions_and_demonstrations_of_its_datasets() -> None:
    found = study()
    tables = files.pretraining_solutions(found, "mini")
    assert len(tables) == 8
    shown = files.pretraining_demonstrations(found, "mini", "gORM")
    assert shown[0] == "<results>/demonstrations/gORM/Facts_drills/chemistry.parquet"


def test_an_evaluation_reads_every_run(tmp_path: Path) -> None:
    found = files.evaluated_tables(study(training_seeds=[1, 2]), "Facts_junior")
    assert (len(found["solutions"]), len(found["rewards"])) == (4, 32)
    assert "<results>/rewards/dPRM-mini@2/Facts_junior/history.parquet" in found["rewards"]


def test_shards_are_numbered() -> None:
    config = read_yaml(MINIATURE)
    config["models"]["dPRM-mini"]["scoring"] = {"shards": 2}
    tables = files.shard_tables(load_study(config, []), "dPRM-mini", "parquet")
    assert [Path(table).name for table in tables] == ["1-of-2.parquet", "2-of-2.parquet"]


def test_a_category_is_read_from_its_file(tmp_path: Path) -> None:
    found = read_study(tmp_path)
    assert files.dataset_sources(found, "Theirs", "math") == [str(tmp_path / "math.json")]
    assert files.reward_sources(found, "theirs", "Theirs", "math") == [
        str(tmp_path / "math_reward.json")
    ]
    assert files.critique_sources(found, "theirs", "gORM", "math") == [
        str(tmp_path / "preprocessed_math.json")
    ]
    assert files.critique_places(found, "theirs", "gPRM", "math") == ["owner/critiques"]
    assert files.critique_sources(found, "theirs", "gPRM", "math") == []


def test_asking_for_files_that_a_study_lacks_is_a_bug(tmp_path: Path) -> None:
    found = read_study(tmp_path)
    with pytest.raises(TypeError, match="Facts_junior is not read"):
        files.dataset_places(study(), "Facts_junior", "history")
    with pytest.raises(TypeError, match="dORM-mini are not read"):
        files.reward_places(study(), "dORM-mini", "Facts_junior", "history")
    with pytest.raises(TypeError, match="not trained here"):
        found.training_datasets_of("theirs")
    with pytest.raises(TypeError, match="dORM-mini is not trained on critiques"):
        files.training_critiques(study(), "dORM-mini")
    with pytest.raises(TypeError, match="theirs have no teacher"):
        files.teacher(found, "theirs")
    with pytest.raises(TypeError, match="facts are not read"):
        files.critique_places(study(), "facts", "gORM", "history")


def test_templates_are_the_studys_or_the_packages(tmp_path: Path) -> None:
    template = tmp_path / "t.txt"
    template.write_text("{question} {solution} Verification: Is the answer correct (Yes/No)?")
    config = read_yaml(MINIATURE)
    assert files.template_of_model(study(), "gORM-mini", "t") == "t/gORM.txt"
    config["critiques"]["facts"]["templates"] = {"gORM": str(template)}
    own = load_study(config, [])
    assert files.template_of_model(own, "gORM-mini", "t") == str(template)
    assert files.template_of_critiques(own, "facts", "gORM", "t") == str(template)
    assert files.template_of_model(own, "gPRM-mini", "t") == "t/gPRM.txt"
    assert files.template_of_backbone(own, "mini", "gORM", "t") == "t/gORM.txt"
    other = tmp_path / "other.txt"
    other.write_text(template.read_text())
    config["models"]["gORM-mini"]["template"] = str(other)
    config["backbones"]["mini"]["pretrain"]["templates"] = {"gORM": str(other)}
    own = load_study(config, [])
    assert files.template_of_model(own, "gORM-mini", "t") == str(other)
    assert files.template_of_critiques(own, "facts", "gORM", "t") == str(template)
    assert files.template_of_backbone(own, "mini", "gORM", "t") == str(other)


def test_braces_in_paths_are_refused() -> None:
    with pytest.raises(InputError, match=r"a\{b: expected a path without braces"):
        files.without_braces(["a{b"])
    with pytest.raises(InputError, match="move or rename"):
        files.check_checkout(Path("/a}/b"))


def test_files_below_the_working_directory_have_relative_names() -> None:
    assert files.from_here(Path("/a/b/c"), Path("/a")) == "b/c"
    assert files.from_here(Path("/a/b/c"), Path("/d")) == "/a/b/c"
