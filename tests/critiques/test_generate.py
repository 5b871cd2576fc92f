"""Generation on the tiny model: whole tables, keyed by solution, the same whatever is generated beside."""

from pathlib import Path
from typing import Any

import pytest

from multirm import tables
from multirm.critiques.generate import columns, generate_critiques
from multirm.engines.base import Completion, Prompt
from multirm.errors import InputError
from multirm.models import load_tokenizer
from multirm.vocabulary import EngineName, Kind
from tests.origins import made_of


def solutions(n: int) -> list[dict[str, Any]]:
    return [
        {
            "dataset": "data",
            "category": "law",
            "question_id": f"q{k // 2}",
            "solution_id": k % 2,
            "question": "What is 1 + 1?",
            "answer": "2",
            "steps": ["One and one.", f"It is {k}."],
            "parsed_answer": str(k),
            "outcome": int(k == 2),
            "step_labels": [1, int(k == 2)],
        }
        for k in range(n)
    ]


def generated(
    tmp_path: Path, teacher: Path, rows: list[dict[str, Any]], **settings: Any
) -> list[dict[str, Any]]:
    tables.write(tmp_path / "s.parquet", tables.SOLUTIONS, rows, made_of())
    generate_critiques(
        Kind.GPRM,
        str(teacher),
        EngineName.TRANSFORMERS,
        tmp_path / "s.parquet",
        tmp_path / "c.parquet",
        **{"per_solution": 2, "max_tokens": 12, "temperature": 1.0, **settings},
    )
    return tables.read(tmp_path / "c.parquet", tables.CRITIQUES).to_pylist()


def test_each_solution_gets_its_critiques_whatever_stands_beside_it(
    tmp_path: Path, tiny_model: Path
) -> None:
    rows = solutions(6)
    all_of_them = generated(tmp_path, tiny_model, rows)
    some = generated(tmp_path, tiny_model, rows[4:1:-1])
    assert len(all_of_them) == 12
    assert [row["critique_id"] for row in all_of_them] == [0, 1] * 6
    assert all(row["kept"] for row in all_of_them)
    assert len({row["critique"] for row in all_of_them}) == 12
    assert all(row in all_of_them for row in some)


def test_the_table_says_what_its_critiques_are(tmp_path: Path, tiny_model: Path) -> None:
    generated(tmp_path, tiny_model, solutions(1))
    footer = tables.read_footer(tmp_path / "c.parquet")
    assert (footer.parameters["kind"], footer.parameters["stage"]) == ("gPRM", "generated")
    assert footer.parameters["engine"] == "transformers"
    assert footer.parameters["reproducible"]
    assert {*footer.inputs} == {
        "s.parquet",
        "src/multirm/templates/gPRM.txt",
        tiny_model.name,
    }
    assert str(tmp_path.parent).encode() not in (tmp_path / "c.parquet").read_bytes()


def test_verdicts_are_not_read_yet() -> None:
    text = "\nStep 1: The step is \\boxed{incorrect}\n</think>\nIs the solution correct? No"
    prompt, sample = Prompt((), [1, 2]), Completion([3], text, {}, truncated=False)
    (row,) = columns(prompt, [sample])
    assert (row["n_prompt_tokens"], row["n_tokens"]) == (2, 3)
    assert row["verdict"] is row["step_verdicts"] is row["deviations"] is None


def test_an_empty_split_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(InputError, match=r"s\.parquet: expected at least one solution"):
        generated(tmp_path, tiny_model, [])
    assert not (tmp_path / "c.parquet").exists()


def test_a_teacher_that_cannot_chat_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path / "mute")
    with pytest.raises(InputError, match="expected a chat template"):
        generated(tmp_path, tmp_path / "mute", solutions(2))


def test_discriminative_kinds_have_no_critiques(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected gORM or gPRM, found dPRM"):
        generate_critiques(Kind.DPRM, "", EngineName.TRANSFORMERS, tmp_path, tmp_path)
