"""Rewards of models that write their verdicts, from the table of solutions to that of rewards, against references."""

from pathlib import Path

import pytest

from multirm.reward_models.formats import writes_verdicts
from multirm.tables.reward_models import FormatName
from tests.reward_models.verdict_cases import CASES, TO_SCORE, Case, make, scored


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.format))
def test_rewards_equal_the_reference(case: Case, tmp_path: Path) -> None:
    make(case, tmp_path / "model")
    found = scored(case, tmp_path / "model", tmp_path)
    expected = [case.reference(tmp_path / "model", each) for each in TO_SCORE]
    assert [len(each) for each in found] == [len(each) for each in expected]
    for rewards, others in zip(found, expected, strict=True):
        assert [each is None for each in rewards] == [each is None for each in others]
        assert rewards == pytest.approx(others, abs=1e-5)
    values = [reward for rewards in expected for reward in rewards]
    assert None in values
    assert len({*values} - {None}) >= 3


def test_every_format_with_verdicts_is_tested() -> None:
    assert {case.format for case in CASES} == {each for each in FormatName if writes_verdicts(each)}
