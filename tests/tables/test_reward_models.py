"""The names of training runs and of their mean."""

from multirm.tables.reward_models import mean_name, run_name


def test_names_of_runs_and_means() -> None:
    assert run_name("dORM-mini", 43) == "dORM-mini@43"
    assert mean_name("dORM-mini") == "dORM-mini@mean"
