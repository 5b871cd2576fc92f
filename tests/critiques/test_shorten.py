"""Text after the end of thinking becomes the verdict line; everything else stays."""

from pathlib import Path

import pytest

from multirm.critiques.shorten import shorten, shorten_critiques
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.critiques import CRITIQUES
from multirm.tables.reward_models import Kind
from multirm.text.prompts import VERDICT_MARKS
from multirm.text.verdicts import read_critique
from tests.origins import made_of


@pytest.mark.parametrize("kind", [Kind.GORM, Kind.GPRM])
def test_only_the_verdict_follows_the_thinking(kind: Kind) -> None:
    mark = VERDICT_MARKS[kind]
    text = f" Hm.\n{mark} Yes\n</think>\nLong talk.\n{mark} Yes, or:\n{mark}\nNo\nBye."
    short = f" Hm.\n{mark} Yes\n</think>\n{mark} No"
    assert shorten(kind, text) == short
    assert shorten(kind, short) == short
    assert read_critique(kind, short).verdict == read_critique(kind, text).verdict == 0


STEPS = "Step 1: The step is \\boxed{correct}\n\nStep 2: Wrong.\nThe step is \\boxed{incorrect}"
ASKED = "Is the solution correct? No"


@pytest.mark.parametrize(
    ("text", "short"),
    [
        # Judged while thinking: only the verdict follows, as for gORM.
        (f" Hm.\n{STEPS}\n</think>\nLong talk.\n{ASKED}", f" Hm.\n{STEPS}\n</think>\n{ASKED}"),
        # Judged after thinking: these steps are trained on, and stay.
        (f" Hm.\n</think>\n{STEPS}\n{ASKED}", f" Hm.\n</think>\n{STEPS}\n{ASKED}"),
        (
            f" Hm.\n</think>\nI think:\n{STEPS}.\n\nTalk.\n{ASKED}.\nBye.",
            f" Hm.\n</think>\nI think:\n{STEPS}.\n{ASKED}",
        ),
        # Judged both while and after thinking.
        (f"{STEPS}\n</think>\n{STEPS}\nSo.\n{ASKED}", f"{STEPS}\n</think>\n{STEPS}\n{ASKED}"),
        # A teacher that gives no final verdict.
        (f" Hm.\n</think>\n{STEPS}\nTalk.", f" Hm.\n</think>\n{STEPS}\n{ASKED}"),
    ],
)
def test_step_verdicts_are_never_cut(text: str, short: str) -> None:
    assert shorten(Kind.GPRM, text) == short
    assert shorten(Kind.GPRM, short) == short
    assert read_critique(Kind.GPRM, short).step_verdicts == [1, 0]


def test_without_a_verdict_nothing_is_cut() -> None:
    assert shorten(Kind.GORM, " Hm.\n</think>\nLong talk.") == " Hm.\n</think>\nLong talk."


def test_the_table_keeps_its_rows_and_shortens_the_kept_ones(tmp_path: Path) -> None:
    text = f" Hm.\n</think>\nLong talk. {VERDICT_MARKS[Kind.GORM]} No"
    rows = [
        {
            "dataset": "data",
            "category": "law",
            "question_id": "q",
            "solution_id": 0,
            "critique_id": number,
            "critique": text,
            "verdict": 0,
            "step_verdicts": None,
            "n_tokens_read": None,
            "n_tokens_generated": None,
            "truncated": False,
            "kept": reason is None,
            "reason": reason,
            "deviations": [],
        }
        for number, reason in enumerate([None, "unbalanced"])
    ]
    before, after = tmp_path / "filtered.parquet", tmp_path / "shortened.parquet"
    made_by = {"kind": "gORM", "stage": "filtered"}
    parquet.write(before, CRITIQUES, rows, made_of(made_by))
    shorten_critiques(Kind.GORM, before, after)
    parameters = parquet.read_footer(after).parameters
    assert parameters == {"kind": "gORM", "stage": "shortened"}
    kept, other = parquet.read(after, CRITIQUES).to_pylist()
    assert kept == {**rows[0], "critique": shorten(Kind.GORM, text)}
    assert other == rows[1]


@pytest.mark.parametrize(("kind", "stage"), [("gPRM", "filtered"), ("gORM", "generated")])
def test_other_critiques_are_refused(tmp_path: Path, kind: str, stage: str) -> None:
    before, made_by = tmp_path / "filtered.parquet", {"kind": kind, "stage": stage}
    parquet.write(before, CRITIQUES, [], made_of(made_by))
    with pytest.raises(
        InputError, match=rf"expected gORM critiques, filtered, found {kind}, {stage}"
    ):
        shorten_critiques(Kind.GORM, before, tmp_path / "shortened.parquet")


def test_discriminative_kinds_have_no_critiques(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected gORM or gPRM, found dORM"):
        shorten_critiques(Kind.DORM, tmp_path / "a", tmp_path / "b")
