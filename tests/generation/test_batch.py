"""A command with a batch service, run until its table is there."""

from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from multirm.cli import main
from multirm.tables import parquet
from multirm.tables.judgements import JUDGEMENTS
from multirm.tables.solutions import SOLUTIONS
from tests.batch_service import described, failed, id_of, jobs, lines_of, put, replied
from tests.data.conftest import solution
from tests.origins import made_of


@pytest.mark.parametrize("engine", ["openai_batch", "bedrock_batch"])
def test_a_command_continues_when_results_are_there(
    engine: str, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [solution(question, 0) for question in range(4)]
    parquet.write(tmp_path / "s.parquet", SOLUTIONS, rows, made_of())
    folder = tmp_path / "batch"
    command = [
        *("judge-steps", "--solutions", f"{tmp_path}/s.parquet", "--judge", str(tiny_model)),
        *("--output", f"{tmp_path}/labels.parquet", "--output-judgements", f"{tmp_path}/j.parquet"),
        *("--engine", engine, "--batch-folder", str(folder), "--service-model", "judge-70b"),
    ]

    def wait() -> str:
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 75
        return capsys.readouterr().err.splitlines()[-1]

    assert wait().startswith(f"multirm: {folder}/results: expected the results of 4 records")
    [first] = jobs(folder)
    asked = lines_of(first)
    good, unreadable, broken, _ = asked
    results = [replied(good, r"\boxed{1}"), replied(unreadable, "Well."), failed(broken)]
    partial = put(folder, "partial", results)
    assert "results of 2 records" in wait(), "a failed and a missing one"
    # What came is in the journal.
    partial.unlink()
    put(folder, "again", [replied(line, r"\boxed{-1}") for line in lines_of(jobs(folder)[1])])
    assert "results of 1 records" in wait(), "the second attempt of the vote that cannot be read"
    [retried] = lines_of(jobs(folder)[2])
    assert described(folder)[retried.get("custom_id") or retried["recordId"]]["sample"] == 1
    put(folder, "second", [replied(retried, r"\boxed{0}")])
    main(command)
    replies = parquet.read(tmp_path / "j.parquet", JUDGEMENTS).to_pylist()
    found = {(row["question_id"], row["attempt"]): row["first_bad"] for row in replies}
    assert found == {("q0", 0): 1, ("q1", 0): None, ("q1", 1): 0, ("q2", 0): -1, ("q3", 0): -1}
    assert [path.name for path in tmp_path.glob(".*")] == []
    told = parquet.read_footer(tmp_path / "labels.parquet").parameters
    assert told["service_model"] == "judge-70b"
    assert "batch_folder" not in told


def test_all_votes_of_an_attempt_are_asked_in_one_round(tiny_model: Path, tmp_path: Path) -> None:
    """Three attempts of unreadable replies are three rounds, whatever the number of votes; none is asked again then."""
    rows = [solution(question, 0) for question in range(2)]
    parquet.write(tmp_path / "s.parquet", SOLUTIONS, rows, made_of())
    folder = tmp_path / "batch"
    command = [
        *("judge-steps", "--solutions", f"{tmp_path}/s.parquet", "--judge", str(tiny_model)),
        *("--output", f"{tmp_path}/labels.parquet", "--output-judgements", f"{tmp_path}/j.parquet"),
        *(
            "--engine",
            "openai_batch",
            "--batch-folder",
            str(folder),
            "--service-model",
            "judge-70b",
        ),
        *("--votes", "3", "--temperature", "0.7"),
    ]
    records = []
    for number in range(3):
        with pytest.raises(SystemExit):
            main(command)
        new = lines_of(*(folder / "jobs").iterdir())
        records.append(len(new))
        put(folder, f"results-{number}", [replied(line, "Well.") for line in new])
    main(command)
    assert records == [6, 6, 6]
    replies = parquet.read(tmp_path / "j.parquet", JUDGEMENTS).to_pylist()
    assert Counter((row["vote"], row["attempt"]) for row in replies) == Counter(
        dict.fromkeys(product(range(3), repeat=2), 2)
    )


def test_what_is_given_up_is_not_asked_again_by_a_judge(tiny_model: Path, tmp_path: Path) -> None:
    rows = [solution(question, 0) for question in range(2)]
    parquet.write(tmp_path / "s.parquet", SOLUTIONS, rows, made_of())
    folder = tmp_path / "batch"
    command = [
        *("judge-steps", "--solutions", f"{tmp_path}/s.parquet", "--judge", str(tiny_model)),
        *("--output", f"{tmp_path}/labels.parquet", "--output-judgements", f"{tmp_path}/j.parquet"),
        *(
            "--engine",
            "openai_batch",
            "--batch-folder",
            str(folder),
            "--service-model",
            "judge-70b",
        ),
    ]
    with pytest.raises(SystemExit):
        main(command)
    lost, other = lines_of(*jobs(folder))
    put(folder, "results", [failed(lost), replied(other, r"\boxed{-1}")])
    (folder / "given_up.txt").write_text(id_of(lost))
    main(command)
    replies = parquet.read(tmp_path / "j.parquet", JUDGEMENTS).to_pylist()
    assert [row["reason"] for row in replies] == ["given_up", None]
    assert len(described(folder)) == 2
