"""A question in the terminal: what is shown, in which colours, and that texts cannot do anything to a terminal."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.inspect.show import show
from multirm.tables import parquet
from multirm.tables.nodes import NODES
from multirm.tables.questions import QUESTIONS
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES
from multirm.tables.search_nodes import SEARCH_NODES
from multirm.tables.solutions import SOLUTIONS
from tests.database.pools import write_pools
from tests.origins import made_of

KEY = {"dataset": "exam", "category": "law", "question_id": "q-17"}
REWARD = {"truncated": False, "scale": "probability"}
COLOUR = re.compile(r"\x1b\[[0-9;]*[0-9]{2,3}m")


def solution(
    number: int, answer: str | None, *steps: str, labels: list[int] | None = None
) -> dict[str, Any]:
    own = {"solution_id": number, "steps": list(steps), "parsed_answer": answer}
    return {
        **KEY,
        "question": "Who pays?",
        "answer": "B",
        "outcome": None,
        "step_labels": labels,
        **own,
    }


def write_study(
    folder: Path, solutions: list[dict[str, Any]], rewards: dict[str, list[Any]]
) -> Path:
    """Tables of one pool; models whose names begin with g write critiques."""
    parquet.write(folder / "s.parquet", SOLUTIONS, solutions, made_of())
    for place, (model, lists) in enumerate(rewards.items()):
        unit = "critique" if model.startswith("g") else "step"
        rows = [
            {**KEY, **REWARD, "solution_id": number, "model": model, "rewards": own, "unit": unit}
            for number, own in enumerate(lists)
        ]
        parquet.write(folder / f"{place}.parquet", REWARDS, rows, made_of())
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    solutions = [
        solution(0, "A", "The buyer.", "So (A).", labels=[0, 0]),
        solution(1, "(b)", "Perhaps both.", "So (b).", labels=[0, 0]),
        solution(2, "B", "The seller.", "So (B).", labels=[1, 1]),
        solution(3, None, "Nobody.", labels=[0]),
    ]
    rewards = {
        "dPRM": [[0.9, 0.8], [0.5, 0.25], [0.75, 0.5], [None]],
        "gORM": [[0.125], [1.0, 0.5], [0.75], [0.0]],
    }
    folder = write_study(tmp_path / "results", solutions, rewards)
    question = {**KEY, "question": "Who pays?", "options": ["buyer", "seller"], "answer": "B"}
    parquet.write(folder / "q.parquet", QUESTIONS, [question], made_of())
    critique = {
        **KEY,
        "solution_id": 1,
        "model": "gORM",
        "truncated": False,
        "n_tokens_generated": 1,
    }
    verdict = "</think>\nVerification: Is the answer correct (Yes/No)? Yes"
    critiques = [
        {**critique, "critique_id": 0, "critique": verdict, "reward": 1.0, "reason": None},
        {**critique, "critique_id": 1, "critique": "…", "reward": None, "reason": "length"},
    ]
    parquet.write(folder / "c.parquet", SCORED_CRITIQUES, critiques, made_of())
    return folder


def shown(capsys: pytest.CaptureFixture[str], *args: object, **kwargs: object) -> list[str]:
    show(*args, **kwargs)  # type: ignore[arg-type]
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_question_and_what_was_chosen_and_why(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(capsys, "q-17", results)
    assert lines[:5] == [
        "exam · law · q-17",
        "Who pays?",
        "A. buyer",
        "B. seller",
        "Reference answer: B",
    ]
    assert "Majority vote – (b) ✓ right (b) 2, A 1" in lines
    assert (
        "Best-of-N dPRM A ✗ wrong solution 0 has the highest reward, 0.800; next: solution 2, 0.500, answer B"
        in lines
    )
    assert "Weighted vote dPRM A ✗ wrong A 0.800 from 1, (b) 0.750 from 2" in lines
    tie = "2 solutions tie at 0.750, of which 2 are right; next: solution 0, 0.125, answer A"
    assert f"Best-of-N gORM (b) ✓ right {tie}" in " ".join(lines)
    assert "0 A ✗ wrong 0.800 0.125 dPRM" in lines
    assert "1 (b) ✓ right 0.250 0.750 gORM recovery" in lines
    assert "3 none ✗ wrong – 0.000 missing reward" in lines
    # The steps of what best-of-N chose, and of nothing else.
    assert [line for line in lines if line.startswith("Solution ") and "answer" in line] == [
        line
        for line in lines
        if line.startswith(("Solution 0: answer A ✗ wrong", "Solution 1: answer (b)"))
    ]
    assert "1 ✗ first 0.500 Perhaps both." in lines
    assert "2 after it 0.250 So (b)." in lines
    assert "gORM: 1.000 0.500" in lines


def test_a_single_solution_with_its_critiques(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(capsys, "q-17", results, solution=1)
    assert "The pool" not in lines
    assert "Critique 1: 1.000" in lines
    assert "Verification: Is the answer correct (Yes/No)? Yes" in lines
    assert "Critique 2: – no reward (length)" in lines
    one = shown(capsys, "q-17", results, solution=1, model="dPRM")
    assert not any("ritique" in line or "gORM" in line for line in one)


def test_trees_unfold(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = {**KEY, "search": "beam", "n_tokens": 1, "value": None, "visits": 2}
    rows = [
        (0, None, "", None, None),
        (1, 0, "Think.", 0.5, None),
        (2, 1, "Or not.", 0.25, "looped"),
        (3, 1, "The seller.", 0.75, "finished"),
    ]
    nodes = [
        {
            **node,
            "node": n,
            "parent": parent,
            "depth": 0,
            "text": text,
            "reward": reward,
            "end": end,
        }
        | {"parsed_answer": "B" if end == "finished" else None}
        | {"outcome": 1 if end == "finished" else None}
        for n, parent, text, reward, end in rows
    ]
    parquet.write(results / "t.parquet", SEARCH_NODES, nodes, made_of())
    merged = {**KEY, "text": "x", "value": 0.5, "n_leaves": 1, "standard_error": None}
    merged |= {"solution_ids": [3, 4], "rewards": [0.0, 1.0], "depth": 0}
    both = [{**merged, "node": n, "parent": n - 1 if n else None} for n in (0, 1)]
    parquet.write(results / "n.parquet", NODES, both, made_of())
    show("q-17", results)
    lines = capsys.readouterr().out.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("Search tree beam"))
    tree = [" ".join(line.split()) for line in lines[start + 1 : start + 4]]
    assert tree == [
        "0.500 ×2 Think.",
        "0.250 ×2 [looped] Or not.",
        "0.750 ×2 [finished] answer B ✓ right The seller.",
    ]
    indents = [len(line) - len(line.lstrip()) for line in lines[start + 1 : start + 4]]
    assert indents[0] < indents[1] == indents[2]
    assert any(line.startswith("Preference tree") for line in lines)


def test_pools_of_all_sorts_can_be_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ties, missing rewards and answers, scores, and no reference answers."""
    folder = write_pools(tmp_path)
    for category in ("law", "math"):
        for number in range(12):
            lines = shown(capsys, f"q{number}", folder, category=category)
            assert lines[0] == f"d · {category} · q{number}"
            assert (
                sum(line.startswith(("Majority", "Best-of-N", "Weighted")) for line in lines) == 7
            )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"question_id": "q-71"},
            "expected one of 1 question ids, found 'q-71'; did you mean q-17?",
        ),
        ({"question_id": "q-17", "dataset": "d"}, "0 question ids with dataset 'd', found 'q-17'"),
        ({"question_id": "q-17", "model": "dprm"}, "found 'dprm'; did you mean dPRM?"),
        (
            {"question_id": "q-17", "solution": 4},
            "expected a solution of this pool, 0 to 3, found 4",
        ),
    ],
)
def test_what_is_not_there_is_refused(
    results: Path, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        show(results=results, **arguments)  # type: ignore[arg-type]


def test_an_id_in_several_places_says_which(tmp_path: Path) -> None:
    folder = write_pools(tmp_path)
    with pytest.raises(InputError, match="found 2 with id 'q3': d law, d math; add --dataset and"):
        show("q3", folder)


def test_an_empty_or_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected tables with questions, found none"):
        show("q", tmp_path)
    with pytest.raises(InputError, match="expected a folder of tables, found no such folder"):
        show("q", tmp_path / "none")


HOSTILE = "[red]\x1b[31m\x07\u202eevil\u2066\u200b\x9b5n[/red]\n:warning: \x1b]8;;http://x\x07"


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "multirm",
        "show",
        "q-17",
        "--results",
        str(folder),
        *arguments,
    ]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    solutions = [solution(0, HOSTILE, HOSTILE, HOSTILE), solution(1, "B", "x" * 3000, labels=[1])]
    for row in solutions:
        row["question"] = HOSTILE
    return write_study(tmp_path / "hostile", solutions, {HOSTILE: [[0.5, 0.5], [0.25]]})


def test_texts_cannot_speak_to_a_terminal(
    hostile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show("q-17", hostile)
    out = capsys.readouterr().out
    bad = {char for char in out if not char.isprintable()} - {"\n"}
    assert not bad
    assert "[red]\\x1b[31m\\x07\\u202eevil\\u2066\\u200b\\x9b5n[/red]" in out
    assert ":warning:" in out


def test_a_pipe_gets_no_colours(results: Path) -> None:
    done = run(results, FORCE_COLOR="", TTY_COMPATIBLE="")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "Who pays?" in done.stdout


def on_a_terminal(folder: Path, **environment: str) -> str:
    """What `multirm show` writes to a terminal of 100 columns."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "multirm", "show", "q-17", "--results", str(folder)]
    env = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "100"}
    with subprocess.Popen(command, env=env | environment, stdout=slave, stderr=slave) as process:
        os.close(slave)
        written = b""
        while True:
            try:
                more = os.read(master, 65536)
            except OSError:
                break
            if not more:
                break
            written += more
    os.close(master)
    assert process.returncode == 0
    return written.decode()


def test_a_terminal_gets_colours_and_none_with_no_color(results: Path, hostile: Path) -> None:
    coloured = on_a_terminal(results)
    # The background of the highest and of the lowest reward.
    assert "48;2;148;195;246" in coloured or "48;2;122;183;248" in coloured
    assert "48;2;246;162;90" in coloured
    assert not COLOUR.search(on_a_terminal(results, NO_COLOR="1"))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal(hostile)).splitlines()
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in "".join(lines)
