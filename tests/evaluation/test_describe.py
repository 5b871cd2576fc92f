"""The table of reward models."""

from pathlib import Path

import pytest

from multirm.cli import main
from multirm.errors import InputError
from multirm.evaluation.describe import describe_reward_models
from multirm.study import options
from multirm.study.load import load_study, read_yaml
from multirm.tables import parquet
from multirm.tables.reward_models import REWARD_MODELS

CONFIG = Path(__file__).resolve().parents[2] / "config"


def described(folder: Path, words: list[str]) -> dict[str, dict[str, object]]:
    """The rows that the command writes for arguments like the rule's, by model."""
    table = folder / "reward_models.parquet"
    command = ["describe-reward-models", "--dataset", "junior", "--output", str(table)]
    main([*command, "--models", *words])
    return {row["model"]: row for row in parquet.read(table, REWARD_MODELS).to_pylist()}


def test_a_studys_models_become_rows(tmp_path: Path) -> None:
    study = load_study(read_yaml(CONFIG / "config.yaml") | {"training_seeds": [42, 7]}, [])
    rows = described(tmp_path, options.reward_models(study))
    assert list(rows)[:3] == ["dORM-mini@mean", "dORM-mini", "dORM-mini@7"]
    assert rows["gPRM-mini@7"] == {
        "dataset": "junior",
        "model": "gPRM-mini@7",
        "run_of": "gPRM-mini",
        "is_mean": False,
        "kind": "gPRM",
        "backbone": "mini",
        "seed": 7,
        "learned_from": ["Facts_train"],
        "training_categories": ["chemistry", "history", "business", "computer_science"],
        "noise_share": 0.0,
        "step_noise": 0.0,
        "noise_baseline": "gPRM-mini",
        "critiques": "facts",
        "format": "multi_rm",
    }
    assert rows["gPRM-mini@mean"] == rows["gPRM-mini@7"] | {
        "model": "gPRM-mini@mean",
        "is_mean": True,
        "seed": None,
    }
    assert rows["dPRM-mini"]["critiques"] is None


def test_the_kind_of_external_models_is_known(tmp_path: Path) -> None:
    rows = described(
        tmp_path, options.reward_models(load_study(read_yaml(CONFIG / "published.yaml"), []))
    )
    assert rows["gORM-14B-published"]["kind"] == "gORM"
    assert {
        rows["gORM-14B-published"][name] for name in ("backbone", "seed", "learned_from", "format")
    } == {None}


def test_without_models_there_are_no_rows(tmp_path: Path) -> None:
    assert described(tmp_path, []) == {}


@pytest.mark.parametrize(
    "models",
    [
        ['{"model": "a", "run_of": "a"}', '{"model": "a", "run_of": "b"}'],
        ['{"model": "a", "run_of": "a", "is_mean": true}'],
    ],
)
def test_repeated_runs_and_means_are_refused(tmp_path: Path, models: list[str]) -> None:
    with pytest.raises(InputError, match=r"--models: expected each training run once.*found 'a'"):
        describe_reward_models("junior", tmp_path / "models.parquet", models)


GOOD = '{"model": "a", "run_of": "a"}'


@pytest.mark.parametrize("count", [1, 2, 3])
def test_any_number_of_runs(tmp_path: Path, count: int) -> None:
    words = [f'{{"model": "m{seed}", "run_of": "m", "seed": {seed}}}' for seed in range(count)]
    rows = described(tmp_path, words)
    assert len(rows) == count + (count > 1)


@pytest.mark.parametrize(
    "word",
    [
        *('{"model": "a"}', '{"model": "b", "run_of": "b", "kind": "xPRM"}', '{"x": 1}', "b", "[]"),
        *('{"model": 5, "run_of": "b"}', '{"model": "", "run_of": ""}', "{", "[" * 10_000),
        '{"model": "\\ud800", "run_of": "b"}',
        '{"model": "b", "run_of": "b", "step_noise": 2}',
    ],
)
def test_invalid_models_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    output = tmp_path / "models.parquet"
    command = ["describe-reward-models", "--dataset", "d", "--output", str(output)]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--models", GOOD, word])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("multirm: --models: expected ")
    assert not output.exists()
