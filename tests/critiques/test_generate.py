"""Generation with the tiny model: complete tables, keyed by solution, independent of the other solutions."""

import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from multirm.critiques.generate import TeacherOptions, columns, generate_critiques
from multirm.engines.base import Completion, Prompt
from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.models.load import load_tokenizer
from multirm.study.critiques import Critiques
from multirm.tables import parquet
from multirm.tables.critiques import CRITIQUES
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from tests.conftest import CHAT_TEMPLATE
from tests.origins import made_of

OPTIONS = TeacherOptions(engine=EngineName.TRANSFORMERS, max_tokens=12, temperature=1.0)


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
    tmp_path: Path, teacher: Path, rows: list[dict[str, Any]], **options: Any
) -> list[dict[str, Any]]:
    parquet.write(tmp_path / "s.parquet", SOLUTIONS, rows, made_of())
    generate_critiques(
        Kind.GPRM,
        str(teacher),
        tmp_path / "s.parquet",
        tmp_path / "c.parquet",
        replace(OPTIONS, **options),
        per_solution=2,
    )
    return parquet.read(tmp_path / "c.parquet", CRITIQUES).to_pylist()


def test_a_solutions_critiques_do_not_depend_on_other_solutions(
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


def test_the_footer_describes_the_critiques(tmp_path: Path, tiny_model: Path) -> None:
    generated(tmp_path, tiny_model, solutions(1))
    footer = parquet.read_footer(tmp_path / "c.parquet")
    assert (footer.parameters["kind"], footer.parameters["stage"]) == ("gPRM", "generated")
    assert footer.parameters["engine"] == "transformers"
    assert footer.parameters["reproducible"]
    sampled = {"max_tokens": 12, "temperature": 1.0, "top_p": 0.95, "top_k": 20, "min_p": 0.0}
    assert sampled.items() <= footer.parameters.items()
    assert "date" not in footer.parameters
    assert {*footer.inputs} == {
        "s.parquet",
        "src/multirm/text/templates/gPRM.txt",
        tiny_model.name,
    }
    assert str(tmp_path.parent).encode() not in (tmp_path / "c.parquet").read_bytes()


def test_the_date_in_the_prompt_is_in_the_footer(tmp_path: Path, tiny_model: Path) -> None:
    dated = shutil.copytree(tiny_model, tmp_path / "dated")
    template = "{{ strftime_now('%d %b %Y') }}" + CHAT_TEMPLATE
    (dated / "chat_template.jinja").write_text(template)
    generated(tmp_path, dated, solutions(1))
    assert parquet.read_footer(tmp_path / "c.parquet").parameters["date"] == "2024-07-26"


def test_tokens_that_sampling_options_exclude_are_never_drawn(
    tmp_path: Path, tiny_model: Path
) -> None:
    for narrow in ({"top_k": 1}, {"top_k": 0, "min_p": 1.0}):
        first, second = generated(tmp_path, tiny_model, solutions(1), **narrow)
        assert first["critique"] == second["critique"]


def test_a_study_defaults_to_the_papers_teacher() -> None:
    for field in fields(TeacherOptions):
        if field.name not in ("engine", "seed"):
            assert Critiques.model_fields[field.name].default == field.default


def test_verdicts_are_not_read_yet() -> None:
    text = "\nStep 1: The step is \\boxed{incorrect}\n</think>\nIs the solution correct? No"
    prompt, sample = Prompt((), [1, 2]), Completion([3], text, {}, truncated=False)
    (row,) = columns(prompt, [sample])
    assert (row["n_tokens_read"], row["n_tokens_generated"]) == (2, 1)
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
        generate_critiques(Kind.DPRM, "", tmp_path, tmp_path.with_name("c"), OPTIONS)
