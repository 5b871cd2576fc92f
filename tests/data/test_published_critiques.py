"""Critiques in Multi-RM's layout: what training uses, what is marked, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multirm.data.published_critiques import read_critiques
from multirm.data.read import read_solutions
from multirm.errors import InputError
from multirm.formats.sources import Reader
from multirm.models.load import load_tokenizer
from multirm.running.files import digest
from multirm.tables import parquet
from multirm.tables.critique_rows import require_critiques, with_solutions
from multirm.tables.critiques import CRITIQUES, Agreement, CritiqueStage
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.training import EXAMPLES
from multirm.text.encoding import encode_prompt
from multirm.text.prompts import REPLY_START, Template
from multirm.training.generative import GenerativeRecipe, critique_examples, train_generative

STEPS = ["One.", "Two.", "The answer is (B)."]


def solution(cot_id: int, labels: list[int] | None, answer: str = "B") -> dict[str, Any]:
    return {
        "q_id": 12,
        "question": "Which?\nA. x\nB. y",
        "cot_id": cot_id,
        "cot": STEPS,
        "parsed_answer": "B",
        "answer": answer,
        "labels": labels,
    }


ROWS = [solution(0, [1, 1, 1]), solution(3, [1, -1, 1], "A"), solution(4, None)]


def critique(cot_id: int, label: int | list[int], word: str, **changes: Any) -> dict[str, Any]:
    """A row in Multi-RM's layout: of gPRM if there is a label for each step, else of gORM."""
    if isinstance(label, list):
        lines = [
            f"\nStep {k}: The step is \\boxed{{{'correct' if each == 1 else 'incorrect'}}}"
            for k, each in enumerate(label, start=1)
        ]
        text = f" Hm.\n</think>{''.join(lines)}\nIs the solution correct? {word}"
    else:
        text = f" Hm.\n</think>\n\nVerification: Is the answer correct (Yes/No)? {word}"
    row = {
        "q_id": 12,
        "question": "Which?\nA. x\nB. y",
        "cot_id": cot_id,
        "cot": STEPS[: len(label)] if isinstance(label, list) else STEPS,
        "critique": f"<think>\nLet's verify step by step:{text}",
        "labels": label,
    }
    return row | changes


def renamed(row: dict[str, Any], label: Any = None) -> dict[str, Any]:
    """As in earlier files: `label` instead of `labels`, or in addition."""
    if label is not None:
        return {**row, "label": label}
    return {"label" if key == "labels" else key: value for key, value in row.items()}


OF_OUTCOMES = [critique(3, -1, "No"), critique(0, 1, "Yes"), critique(3, -1, "No")]
OF_STEPS = [critique(0, [1, 1, 1], "Yes"), critique(3, [1, -1], "No")]

Read = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    (tmp_path / "theirs.json").write_text(json.dumps(ROWS))
    source, solutions = [str(tmp_path / "theirs.json")], tmp_path / "solutions.parquet"
    read_solutions(Reader.PUBLISHED, source, "d", "law", solutions)

    def _read(kind: Kind, *rows: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
        source, output = tmp_path / "law.json", tmp_path / "critiques.parquet"
        source.write_text(json.dumps(rows))
        read_critiques(kind, [str(source)], "d", "law", solutions, output, **options)
        return parquet.read(output, CRITIQUES).to_pylist()

    return _read


def test_critiques_of_outcomes(read: Read, tmp_path: Path) -> None:
    rows = read(Kind.GORM, *OF_OUTCOMES)
    assert [
        (row["question_id"], row["solution_id"], row["critique_id"], row["verdict"]) for row in rows
    ] == [("12", 3, 0, 0), ("12", 0, 0, 1), ("12", 3, 1, 0)]
    for row in rows:
        assert row["critique"].startswith(" Hm.\n</think>\n\nVerification: ")
        assert (row["dataset"], row["category"], row["step_verdicts"]) == ("d", "law", None)
        assert (row["kept"], row["reason"], row["n_tokens_generated"]) == (True, None, None)
    path = tmp_path / "critiques.parquet"
    require_critiques(path, Kind.GORM, CritiqueStage.SHORTENED)
    footer = parquet.read_footer(path)
    assert footer.parameters["hub"] == []
    assert footer.inputs == {
        name: digest(tmp_path / name) for name in ("law.json", "solutions.parquet")
    }


def test_critiques_of_steps(read: Read) -> None:
    assert [(row["verdict"], row["step_verdicts"]) for row in read(Kind.GPRM, *OF_STEPS)] == [
        (1, [1, 1, 1]),
        (0, [1, 0]),
    ]


@pytest.mark.parametrize(
    ("kind", "rows"), [(Kind.GORM, OF_OUTCOMES), (Kind.GPRM, OF_STEPS)], ids=["gORM", "gPRM"]
)
def test_labels_have_had_two_names(read: Read, kind: Kind, rows: list[dict[str, Any]]) -> None:
    expected = read(kind, *rows)
    assert read(kind, *map(renamed, rows)) == expected
    assert read(kind, *(renamed(row, row["labels"]) for row in rows)) == expected
    # In a table with both columns, rows may have only one of them.
    assert read(kind, *({**renamed(row), "labels": None} for row in rows)) == expected


def test_relaxed_critiques_may_find_another_step_incorrect(read: Read, tmp_path: Path) -> None:
    # Solution 3 is incorrect from its second step on, where `cot` ends; solution 0 is correct.
    rows = [
        critique(3, [-1], "No", cot=STEPS[:2]),
        critique(3, [1, 1, -1], "No", cot=STEPS[:2]),
        critique(3, [1, 1, 1], "Yes", cot=STEPS[:2]),
        critique(0, [1, 1, 1], "Yes"),
        critique(0, [1, -1], "No", cot=STEPS),
    ]
    found = read(Kind.GPRM, *rows, agreement=Agreement.RELAXED)
    assert [row["step_verdicts"] for row in found[:2]] == [[0], [1, 1, 0]]
    wrong = "label_disagrees"
    assert [row["reason"] for row in found] == [None, None, wrong, None, wrong]
    with pytest.raises(
        InputError, match=r"row 1, key labels: .* 2 steps of cot, or -1 for the last"
    ):
        read(Kind.GPRM, *rows)
    for labels in ([1, 1], [1, -1, 1], [1, 1, 1, -1]):
        with pytest.raises(InputError, match=r"row 1, key labels: .* 3 steps of the solution, or"):
            read(Kind.GPRM, critique(3, labels, "No", cot=STEPS[:2]), agreement=Agreement.RELAXED)


def test_critiques_may_have_any_form(read: Read) -> None:
    (row,) = read(Kind.GORM, critique(0, 1, "**yes**"))
    assert (row["verdict"], row["kept"], row["deviations"]) == (1, True, ["verdict_spelling"])
    # Verdicts used in training can be scored.
    assert row["critique"].endswith("</think>\nVerification: Is the answer correct (Yes/No)? Yes")
    (row,) = read(Kind.GPRM, critique(3, [1, -1], "perhaps"))
    assert (row["verdict"], row["kept"], row["deviations"]) == (0, True, ["verdict_implied"])
    assert row["critique"].endswith("\nIs the solution correct? No")


def test_they_train_a_model(read: Read, tmp_path: Path, tiny_model: Path) -> None:
    rows = read(Kind.GPRM, *OF_STEPS)
    solutions = parquet.read(tmp_path / "solutions.parquet", SOLUTIONS).to_pylist()
    tokenizer = load_tokenizer(str(tiny_model))
    template = Template("{question}|{solution}", "Step {number}: {step}")
    examples, tally = critique_examples(
        Kind.GPRM, tokenizer, template, with_solutions(rows, solutions, "t"), 4000
    )
    assert tally.positive["law"] == 1
    for row, example in zip(OF_STEPS, examples, strict=True):
        steps = "\n\n".join(f"Step {k}: {step}" for k, step in enumerate(row["cot"], start=1))
        prompt = encode_prompt(tokenizer, f"{row['question']}|{steps}")
        ids = list(example.ids)
        assert ids[: len(prompt)] == prompt
        reply = REPLY_START + tokenizer.decode(ids[len(prompt) : -1])
        assert reply == row["critique"]
    train_generative(
        Kind.GPRM,
        "gPRM",
        str(tiny_model),
        [tmp_path / "solutions.parquet"],
        [tmp_path / "critiques.parquet"],
        tmp_path / "adapter",
        tmp_path / "curve.parquet",
        tmp_path / "examples.parquet",
        recipe=GenerativeRecipe(batch_size=2),
    )
    (counts,) = parquet.read(tmp_path / "examples.parquet", EXAMPLES).to_pylist()
    assert (counts["n_used"], counts["n_positive"]) == (2, 1)


def test_critiques_that_disagree_with_their_labels_are_marked(
    read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    rows = read(
        Kind.GPRM,
        *OF_STEPS,
        critique(0, [1, -1], "No"),
        critique(4, [1, 1, 1], "Yes"),
        critique(0, [1, 1, 1], "No"),
        critique(0, [1, 1, 1], "", critique=f"{REPLY_START} Hm.\n</think>\nI cannot say."),
    )
    assert [row["reason"] for row in rows] == [
        None,
        None,
        "label_disagrees",
        "unlabelled",
        "label_disagrees",
        "unparsable",
    ]
    assert [row["kept"] for row in rows] == [row["reason"] is None for row in rows]
    assert "law: not kept: 2 label_disagrees, 1 unlabelled, 1 unparsable" in caplog.text


@pytest.mark.parametrize(
    ("kind", "row", "complaint"),
    [
        (Kind.GORM, critique(7, 1, "Yes"), "row 2: .*solutions in .*, found q_id 12, cot_id 7 of"),
        (Kind.GORM, critique(0, 1, "Yes", q_id="13"), "row 2: .*found q_id 13, cot_id 0 of d"),
        (Kind.GORM, critique(0, 1, "Yes", cot=["One."]), "row 2: .*found other steps"),
        (Kind.GPRM, critique(0, [1, -1], "No", cot=["One.", "2."]), "row 2: .*found other steps"),
        (Kind.GORM, critique(0, 1, "Yes", critique="Fine."), "row 2, key critique: .*starts with"),
        (Kind.GORM, critique(0, 1, "Yes", critique=None), "row 2, key critique: expected a text"),
        (Kind.GORM, critique(0, 0, "Yes"), "row 2, key labels: expected 1 .* or -1, found 0"),
        (Kind.GORM, critique(0, [1, 1, 1], "Yes"), "row 2, key labels: expected a whole number"),
        (Kind.GPRM, critique(0, 1, "Yes"), "row 2, key labels: expected a list, found 1"),
        (Kind.GPRM, critique(0, [1, 0], "No"), "row 2, key labels: expected 1 .* or -1, found 0"),
        (Kind.GPRM, critique(0, [-1, 1], "No"), "row 2, key labels: .*or -1 for the last, found"),
        (Kind.GPRM, critique(0, [1], "Yes", cot=STEPS), "row 2, key labels: .*of the 3 steps"),
        (Kind.GORM, {"q_id": 12, "cot_id": 0}, "row 2: expected the key critique"),
        (Kind.GORM, renamed(critique(0, 0, "Yes")), "row 2, key label: .*or -1, found 0"),
        (
            Kind.GORM,
            renamed(critique(0, 1, "Yes"), -1),
            "row 2, key labels: expected the same as the key label, -1, found 1; .* two names",
        ),
        (
            Kind.GPRM,
            renamed(critique(0, [1, 1, 1], "Yes"), [1, 1, -1]),
            r"row 2, key labels: .*the key label, \[1, 1, -1\], found \[1, 1, 1\]",
        ),
    ],
)
def test_bad_rows_are_named_and_nothing_is_lost(
    read: Read, tmp_path: Path, kind: Kind, row: dict[str, Any], complaint: str
) -> None:
    good = OF_OUTCOMES[0] if kind is Kind.GORM else OF_STEPS[0]
    read(kind, good)
    before = digest(tmp_path / "critiques.parquet")
    with pytest.raises(InputError, match=complaint) as caught:
        read(kind, good, row)
    assert str(caught.value).startswith(str(tmp_path / "law.json"))
    assert "\n" not in str(caught.value)
    assert digest(tmp_path / "critiques.parquet") == before


def test_critiques_of_another_kind(read: Read) -> None:
    with pytest.raises(InputError, match="kind: expected gORM or gPRM, found dORM"):
        read(Kind.DORM, *OF_OUTCOMES)
    with pytest.raises(
        InputError, match="verdicts agree with their labels, found 1 unparsable; check --kind"
    ):
        read(Kind.GORM, OF_OUTCOMES[0] | {"critique": OF_STEPS[0]["critique"]})


def test_a_folder_may_have_preprocessed_files(read: Read, tmp_path: Path) -> None:
    folder, output = tmp_path / "folder", tmp_path / "critiques.parquet"
    folder.mkdir()

    def found() -> int:
        read_critiques(Kind.GORM, [str(folder)], "d", "law", tmp_path / "solutions.parquet", output)
        return parquet.read(output, CRITIQUES).num_rows

    (folder / "law.json").write_text(json.dumps(OF_OUTCOMES))
    assert found() == 3
    (folder / "preprocessed_law.json").write_text(json.dumps(OF_OUTCOMES[:1]))
    assert found() == 1
    for file in folder.iterdir():
        file.rename(file.with_stem("math"))
    with pytest.raises(InputError, match=r"law.json: expected a file, found only math.json"):
        found()


def test_a_split_per_category(read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "theirs"
    (folder / "data").mkdir(parents=True)
    split = pa.Table.from_pylist(OF_STEPS)
    pq.write_table(split, folder / "data" / "law-00000-of-00001.parquet")
    output = tmp_path / "critiques.parquet"
    read_critiques(Kind.GPRM, [str(folder)], "d", "law", tmp_path / "solutions.parquet", output)
    assert parquet.read(output, CRITIQUES).num_rows == 2
