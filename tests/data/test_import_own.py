"""Own files become tables that evaluation reads, and the printed commands run as they are."""

import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from multirm.cli import main
from multirm.data.import_own import import_own
from multirm.errors import InputError
from multirm.formats.own.options import OwnOptions
from multirm.formats.own.problems import OwnDataError
from multirm.running.usage import as_started
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, OVERALL
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS


def engineers_file(folder: Path) -> Path:
    """20 questions with 4 solutions each, with names of an own pipeline."""
    rows = [
        {
            "qid": f"q{question}",
            "question": f"{question} + 1?",
            "response": f"Adding.\n\nSo {question + (solution % 2)}",
            "extracted_answer": str(question + solution % 2),
            "gold": str(question + 1),
            "subject": "math" if question % 2 else "law",
            "score_skywork": (solution % 2) * 3.5 - question if solution else "",
            "is_correct": str(solution % 2 == 1 and question > 2),
        }
        for question in range(20)
        for solution in range(4)
    ]
    path = folder / "pools.csv"
    pa.csv.write_csv(pa.table({n: [str(row[n]) for row in rows] for n in rows[0]}), path)
    return path


def commands_in(text: str) -> list[list[str]]:
    program = f"  {as_started()} "
    lines = [line for line in text.splitlines() if line.startswith(program)]
    return [shlex.split(line.removeprefix(program)) for line in lines]


@pytest.mark.parametrize("graded", [False, True])
def test_the_engineers_file_goes_in_at_the_first_attempt(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    graded: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    engineers_file(tmp_path)
    words = ["import", "pools.csv", "--columns", "question_id=qid", "steps=response"]
    words += ["parsed_answer=extracted_answer", "category=subject", "--output", "mine"]
    words += ["--rewards", "skywork=score_skywork"]
    main(words + ["--correct", "is_correct"] * graded)
    said = capsys.readouterr().out
    assert "20 questions, 80 solutions, 80 steps" in said
    assert f"{34 if graded else 40} solutions" in said
    assert "skywork: 60 rewards (unit solution, scale score), 20 missing" in said
    assert parquet.read(Path("mine/data/pools/law.parquet"), SOLUTIONS).num_rows == 40
    rewards = parquet.read(Path("mine/rewards/skywork/pools/math.parquet"), REWARDS)
    assert rewards["rewards"].to_pylist()[:2] == [[None], [2.5]]
    commands = commands_in(said)
    assert [command[0] for command in commands] == ["evaluate", "report"]
    for command in commands:
        main(command)
    accuracy = parquet.read(Path("mine/evaluation/pools/accuracy.parquet"), ACCURACY).to_pylist()
    found = {
        (row["selection"], row["n"]): row["accuracy"]
        for row in accuracy
        if row["category"] == OVERALL
    }
    # Half of all are right by their answers; 17 of 20 questions by the grading.
    assert found["best_of_n", 1] == pytest.approx(42.5 if graded else 50)
    assert found["pass", 4] == pytest.approx(85 if graded else 100)
    footer = parquet.read_footer(Path("mine/evaluation/pools/accuracy.parquet"))
    assert footer.parameters["answers"] == ("graded" if graded else "meaning")
    assert "pools: 20 questions" in capsys.readouterr().out
    assert Path("mine/report.html").read_text().startswith("<!DOCTYPE html>")


def test_nothing_is_written_if_anything_is_wrong(tmp_path: Path) -> None:
    path = engineers_file(tmp_path)
    options = OwnOptions(columns=["question_id=qidd", "wrong", "steps=response"], correct="graded")
    with pytest.raises(OwnDataError) as error:
        import_own(
            [str(path)],
            tmp_path / "mine",
            options,
            rewards=["a=score", "b"],
            unit=["c=step", "steps"],
        )
    assert len(error.value.problems) == 7
    assert not (tmp_path / "mine").exists()


def test_without_an_output_it_says_what_it_would_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = engineers_file(tmp_path)
    import_own([str(path)])
    said = capsys.readouterr().out
    assert "understood: question_id = qid, question = question, answer = gold" in said
    assert "--rewards skywork=score_skywork" in said
    assert said.endswith("nothing is written: add --output FOLDER\n")
    assert list(tmp_path.iterdir()) == [path]


def test_a_column_of_rewards_needs_the_name_of_its_model(tmp_path: Path) -> None:
    path = engineers_file(tmp_path)
    with pytest.raises(OwnDataError, match="--rewards skywork=score_skywork"):
        import_own([str(path)], rewards=["score_skywork"])


def test_files_are_told_apart_in_problems(tmp_path: Path) -> None:
    for name, answer in (("a.csv", "1"), ("b.csv", "2")):
        text = f"qid,response,parsed_answer,gold,r\nq,x,1,1,1\n{name},y,1,{answer},{name}\n"
        (tmp_path / name).write_text(text)
    with pytest.raises(OwnDataError, match=r"b\.csv, row 2, column r") as error:
        import_own(
            [str(tmp_path / "b.csv"), str(tmp_path / "a.csv")], tmp_path / "mine", rewards=["m=r"]
        )
    (problem,) = error.value.problems
    assert "'b.csv' and 1 more" in str(problem)


def test_rewards_may_be_in_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "qid,solution_id,response,parsed_answer,gold\nq,0,x,1,1\nq,1,y,2,1\n"
    )
    (tmp_path / "r.csv").write_text("qid,solution_id,r1,score\nq,1,0.5,1\n")
    given = [f"m={tmp_path}/r.csv", f"n={tmp_path}/r.csv:r1"]
    import_own([str(tmp_path / "a.csv")], tmp_path / "mine", rewards=given)
    for model, reward in (("m", 1.0), ("n", 0.5)):
        table = parquet.read(tmp_path / "mine" / "rewards" / model / "a" / "all.parquet", REWARDS)
        assert table["rewards"].to_pylist() == [[None], [reward]]


def test_other_categories_of_an_earlier_import_are_no_part_of_this_one(tmp_path: Path) -> None:
    path = engineers_file(tmp_path)
    import_own([str(path)], tmp_path / "mine")
    import_own([str(path)], tmp_path / "mine")
    with pytest.raises(InputError, match=r"all\.parquet"):
        import_own([str(path)], tmp_path / "mine", OwnOptions(columns=["category=subject"]))


def test_rewards_of_other_solutions_do_not_stay_beside_new_ones(tmp_path: Path) -> None:
    path = engineers_file(tmp_path)
    import_own([str(path)], tmp_path / "mine", rewards=["a=score_skywork"])
    # The same solutions.
    import_own([str(path)], tmp_path / "mine", rewards=["b=score_skywork"])
    path.write_text(path.read_text().replace("Adding.", "Counting."))
    with pytest.raises(InputError, match=r"other ones, beside .*/rewards/a; import the rewards of"):
        import_own([str(path)], tmp_path / "mine", rewards=["b=score_skywork"])
    # Nothing was written.
    table = parquet.read(tmp_path / "mine" / "data" / "pools" / "all.parquet", SOLUTIONS)
    assert table["steps"][0].as_py()[0].startswith("Adding.")
