"""What trainings of a reward model are called, and what of them is shown."""

import pytest

from multirm.tables.reward_models import mean_name, model_of, shown_models, trained_name


def test_a_name_leads_back_to_the_model() -> None:
    assert trained_name("dORM-mini", 43) == "dORM-mini@43"
    for name in ("dORM-mini", trained_name("dORM-mini", 0), mean_name("dORM-mini")):
        assert model_of(name) == "dORM-mini"


@pytest.mark.parametrize("name", ["model@main", "@43", "a@b@", "a@-1", "a@mean "])
def test_other_names_are_models(name: str) -> None:
    assert model_of(name) == name


def test_means_are_shown_for_their_trainings() -> None:
    names = ["b@7", "a@mean", "a", "a@43", "c", "a"]
    assert shown_models(names) == {"b@7": "b@7", "a@mean": "a (2 seeds)", "c": "c"}
