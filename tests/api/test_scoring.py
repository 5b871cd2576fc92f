"""Scoring in Python gives the rewards of the commands."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import multirm
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS

STEPS = ["2 + 3 = 5.", "The answer is 5."]
ROW = {"question_id": "q", "question": "What is 2 + 3?", "answer": "5", "parsed_answer": "5"}


@pytest.fixture(scope="module")
def mine() -> multirm.Pools:
    """A pool of two solutions."""
    return multirm.Pools.from_frame([{**ROW, "steps": STEPS}, {**ROW, "steps": STEPS[:1]}])


def test_rewards_of_a_study_again(finished_study: Path) -> None:
    found = multirm.results(finished_study / "results")
    pools = found.pools("Micro")
    bare = multirm.Pools.read(found.folder / "data" / "Micro")
    again = multirm.score(found.folder / "models" / "dPRM-micro", bare)
    assert again.models == ["dPRM-micro"] and bare.models == []
    key = ["category", "question_id", "solution_id"]
    one, other = (
        each.rewards.query("model == 'dPRM-micro'").sort_values(key) for each in (pools, again)
    )
    assert one[key].values.tolist() == other[key].values.tolist()
    np.testing.assert_allclose(
        np.concatenate(one["rewards"].tolist()),
        np.concatenate(other["rewards"].tolist()),
        atol=1e-5,
    )


def test_a_generative_model_is_known_by_its_folder(
    finished_study: Path, mine: multirm.Pools, tmp_path: Path
) -> None:
    model = finished_study / "results" / "models" / "gORM-micro" / "adapter"
    output = tmp_path / "g.parquet"
    scored = multirm.score(model, mine, name="g", samples=3, max_tokens=8, output=output)
    rewards = scored.rewards
    assert set(rewards["model"]) == {"g"} and set(rewards["unit"]) == {"critique"}
    assert [len(each) for each in rewards["rewards"]] == [3, 3]
    assert parquet.read(output, REWARDS).num_rows == 2
    assert (tmp_path / "g.critiques.parquet").is_file()


def test_a_kind_that_a_folder_contradicts_is_refused(
    finished_study: Path, mine: multirm.Pools
) -> None:
    model = finished_study / "results" / "models" / "dORM-micro"
    with pytest.raises(InputError, match=r"^kind: expected dORM, the kind of dORM-micro, found"):
        multirm.score(model, mine, kind="gORM")


def test_a_call_that_was_interrupted_is_the_same_job_again(
    tiny_model: Path, mine: multirm.Pools, tmp_path: Path
) -> None:
    """Jobs of one origin share a journal."""
    for name in ("a", "b"):
        multirm.score(tiny_model, mine, name="m", output=tmp_path / f"{name}.parquet")
    one, other = (parquet.read_footer(tmp_path / f"{name}.parquet") for name in ("a", "b"))
    assert one == other and "solutions.parquet" in one.inputs


def test_rewards_are_added(tiny_model: Path, mine: multirm.Pools) -> None:
    scored = multirm.score(tiny_model, multirm.score(tiny_model, mine, name="a"), name="b")
    assert scored.models == ["a", "b"] and mine.models == []
    one, other = (scored.rewards.query(f"model == '{model}'") for model in "ab")
    assert [len(each) for each in one["rewards"]] == [2, 1]
    assert one["rewards"].map(list).tolist() == other["rewards"].map(list).tolist()
    found = multirm.evaluate(scored, "last")
    assert isinstance(found.accuracy, pd.DataFrame)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "orm"}, r"^kind: expected dORM, dPRM, .*found 'orm'; did you mean"),
        ({"format": "qwen"}, r"^format: expected multi_rm, .*did you mean qwen_prm\?"),
        ({"engine": "vlm"}, r"^engine: "),
        ({"samples": 0, "kind": "gORM"}, r"^samples: "),
        ({"max_tokens": 0}, r"^max_tokens: expected greater than or equal to 1, found 0"),
        ({"dtype": "fp8"}, r"^dtype: expected auto"),
    ],
)
def test_wrong_arguments_are_refused(
    tiny_model: Path, mine: multirm.Pools, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        multirm.score(tiny_model, mine, **arguments)  # type: ignore[arg-type]


def test_no_model_is_said(mine: multirm.Pools, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing"):
        multirm.score(tmp_path / "nothing", mine)
