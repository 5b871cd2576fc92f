"""Derived datasets: chains of changes, with categories and origins from the datasets they derive from."""

from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.study import files, needs, options, targets
from multirm.study.load import load_study, read_yaml
from multirm.study.study import Study

MINIATURE = Path(__file__).resolve().parents[2] / "config" / "config.yaml"
NOISY = {"from": "Facts_train", "noise": {"steps": 0.1, "outcomes": 0.2}}


def study(**datasets: Any) -> Study:
    config = read_yaml(MINIATURE)
    config["datasets"] |= datasets
    config["models"]["dPRM-mini"]["dataset"] = next(iter(datasets), "Facts_train")
    return load_study(config, [])


def test_a_chain_is_derived_step_by_step() -> None:
    found = study(
        Small={
            "from": "Noisy",
            "take": {"questions": 10, "solutions": 2},
            "categories": ["history"],
        },
        Noisy=NOISY,
    )
    assert found.origins_of("Small") == ["Small", "Noisy", "Facts_train"]
    assert found.categories_of("Small") == ["history"]
    assert found.categories_of("Noisy") == found.categories_of("Facts_train")
    assert files.source_table(found, "Small", "history") == ("<results>/data/Noisy/history.parquet")
    assert options.take(found, "Small") == ["--questions", "10", "--per-question", "2"]
    assert needs.n_solutions(found, "Small") == 20
    assert needs.n_solutions(found, "Noisy") == needs.n_solutions(found, "Facts_train")
    # Intermediate datasets are targets, too.
    assert {"Small", "Noisy", "Facts_train"} <= {*targets.used_datasets(found)}
    assert targets.datasets_derived_by(found, "noise") == "Noisy"
    assert targets.datasets_derived_by(found, "shuffle") == targets.any_of([])
    assert "Noisy" not in targets.datasets_read_by(found, "miniature")


@pytest.mark.parametrize(
    ("datasets", "complaint"),
    [
        ({"A": {"from": "Nowhere", "shuffle": "steps"}}, "datasets.A.from: Nowhere is not one of"),
        ({"A": {"from": "A", "shuffle": "steps"}}, "datasets.A.from: A from A"),
        (
            {"A": {"from": "B", "shuffle": "steps"}, "B": {"from": "A", "shuffle": "steps"}},
            "datasets.B.from: B from A from B",
        ),
        (
            {"A": {"from": "Facts_train"}},
            "exactly one of `noise`, `shuffle`, `take`, `label`, `augment`",
        ),
        (
            {"A": {**NOISY, "shuffle": "steps"}},
            "exactly one of `noise`, `shuffle`, `take`, `label`, `augment`; chain datasets",
        ),
        ({"A": {"from": "Facts_train", "noise": {}}}, "flips no label"),
        ({"A": {"from": "Facts_train", "noise": {"share": 0, "steps": 1}}}, "flips no label"),
        ({"A": {"from": "Facts_train", "take": {}}}, "takes everything"),
        ({"A": {"from": "Facts_train", "take": {"questions": 0}}}, "greater than or equal to 1"),
        ({"A": {"from": "Facts_train", "shuffle": "answers"}}, "shuffle: 'answers'"),
        (
            {"A": {**NOISY, "reader": "miniature"}},
            "expected known keys only, found datasets.A.reader",
        ),
        ({"A": {**NOISY, "form": "B"}}, "found datasets.A.form; did you mean from"),
        ({"A": {**NOISY, "categories": ["law"]}}, "law is not one of chemistry"),
    ],
)
def test_datasets_that_cannot_be_derived_are_refused(
    datasets: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputError) as caught:
        study(**datasets)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_training_on_evaluated_data_is_found_through_derivations() -> None:
    with pytest.raises(
        InputError, match=r"trained on Noisy, and .* Facts_junior, derived from the same"
    ):
        study(Noisy={"from": "Facts_junior", "noise": {"steps": 0.1}})


def test_asking_for_settings_of_another_dataset_type_is_a_bug() -> None:
    found = study(Noisy=NOISY)
    with pytest.raises(TypeError, match="Facts_train does not derive"):
        files.source_table(found, "Facts_train", "history")
    with pytest.raises(TypeError, match="Noisy takes no part"):
        options.take(found, "Noisy")
