"""Sampling solutions with the tiny model: what is kept, what is left out and why, whatever else is sampled."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from multirm.data.sample_solutions import (
    PolicyOptions,
    sample_solutions,
    solution_and_sample,
)
from multirm.engines.base import Completion, Prompt
from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.generation.chat_jobs import texts_of
from multirm.generation.solving_options import SolvingOptions
from multirm.models.load import load_tokenizer
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS
from multirm.tables.samples import SAMPLES, SampleReason
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

OPTIONS = PolicyOptions(engine=EngineName.TRANSFORMERS, max_tokens=12, temperature=1.0)


def questions(n: int) -> list[dict[str, Any]]:
    key = {"dataset": "asked", "category": "law"}
    return [
        {**key, "question_id": f"q{k}", "question": f"What is {k}?", "options": ["a", "b"]}
        | {"answer": "B"}
        for k in range(n)
    ]


def exemplars(n: int, **columns: Any) -> list[dict[str, Any]]:
    rows = [
        {
            "dataset": "shown",
            "category": "law",
            "question_id": f"e{k}",
            "solution_id": 0,
            "question": f"What was {k}?\nA. a\nB. b",
            "answer": "A",
            "steps": ["Hm.", "The answer is (A)."],
            "parsed_answer": "A",
            "outcome": 1,
            "step_labels": None,
        }
        for k in range(n)
    ]
    return [{**row, **columns} for row in rows]


def sample(
    folder: Path,
    policy: Path,
    rows: list[dict[str, Any]],
    shown: list[dict[str, Any]] | None = None,
    shots: int = 2,
    **options: Any,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of both tables."""
    parquet.write(folder / "q.parquet", QUESTIONS, rows, made_of())
    shown = exemplars(2) if shown is None else shown
    if shown:
        parquet.write(folder / "e.parquet", SOLUTIONS, shown, made_of())
    sample_solutions(
        folder / "q.parquet",
        str(policy),
        "new",
        folder / "s.parquet",
        folder / "a.parquet",
        replace(OPTIONS, **options),
        SolvingOptions(exemplars=[folder / "e.parquet"] if shown else None, shots=shots),
        per_question=3,
    )
    # At least one solution is asked for only of tables that are read to be used.
    some = replace(SOLUTIONS, at_least_one="")
    return (
        parquet.read(folder / "s.parquet", some).to_pylist(),
        parquet.read(folder / "a.parquet", SAMPLES).to_pylist(),
    )


def test_samples_do_not_depend_on_other_questions(tmp_path: Path, tiny_model: Path) -> None:
    _, every = sample(tmp_path, tiny_model, questions(5))
    _, some = sample(tmp_path, tiny_model, questions(5)[3:0:-1])
    assert [row["solution_id"] for row in every] == [0, 1, 2] * 5
    assert len({row["text"] for row in every}) == 15
    assert [row["question_id"] for row in some] == ["q3"] * 3 + ["q2"] * 3 + ["q1"] * 3
    assert all(row in every for row in some)
    assert {row["dataset"] for row in every} == {"new"}


def test_every_sample_is_accounted_for(tmp_path: Path, tiny_model: Path) -> None:
    solutions, samples = sample(tmp_path, tiny_model, questions(4))
    # A random model is cut off.
    assert {row["reason"] for row in samples} == {SampleReason.CUT_OFF}
    assert solutions == []
    assert all(row["n_tokens_generated"] == 12 for row in samples)
    assert all(row["n_tokens_read"] > 50 for row in samples)


WRITTEN = {
    "Hm.\n\nThe answer is (B).": None,
    "Hm.\n\nThe answer is (A).": None,
    "Hm.\n\nThe answer is (C).": SampleReason.NO_ANSWER,
    "Hm.": SampleReason.NO_ANSWER,
    " \n": SampleReason.NO_STEPS,
    "<think>\nThe answer is (B).</think>": SampleReason.NO_STEPS,
}


def test_complete_samples_are_solutions_and_keep_their_numbers() -> None:
    row = questions(1)[0]
    prompt = Prompt((), [1, 2, 3])
    completions = [Completion([4, 5], text, {}, truncated=False) for text in WRITTEN]
    cut = Completion([4], "The answer is (B).", {}, truncated=True)
    lost = Completion([], "", {}, truncated=True, given_up=True)
    made = [
        solution_and_sample("new", row, number, each)
        for number, each in enumerate(texts_of(prompt, [lost, *completions, cut]), start=-1)
    ]
    assert [sample["reason"] for _, sample in made] == [
        *(SampleReason.GIVEN_UP, *WRITTEN.values(), SampleReason.CUT_OFF)
    ]
    assert [(s["n_tokens_read"], s["n_tokens_generated"]) for _, s in made[-2:]] == [(3, 2), (3, 1)]
    right, wrong = (solution for solution, _ in made if solution is not None)
    key = {"dataset": "new", "category": "law", "question_id": "q0", "solution_id": 0}
    assert right == {
        **key,
        "question": "What is 0?\nA. a\nB. b",
        "answer": "B",
        "steps": ["Hm.", "The answer is (B)."],
        "parsed_answer": "B",
        "outcome": 1,
        "step_labels": None,
    }
    assert (wrong["solution_id"], wrong["parsed_answer"], wrong["outcome"]) == (1, "A", 0)


def test_open_questions_are_compared_by_value() -> None:
    (sample,) = texts_of(
        Prompt((), [1]), [Completion([4], "So.\n\nThe answer is $1,000.", {}, truncated=False)]
    )
    row = {**questions(1)[0], "options": None, "answer": "1000"}
    solution, _ = solution_and_sample("new", row, 7, sample)
    assert solution is not None
    assert (solution["parsed_answer"], solution["outcome"]) == ("$1,000", 1)
    solution, _ = solution_and_sample("new", {**row, "answer": None}, 7, sample)
    assert solution is not None and solution["outcome"] is None


def test_the_footer_describes_the_samples(tmp_path: Path, tiny_model: Path) -> None:
    sample(tmp_path, tiny_model, questions(1))
    for name in ("s.parquet", "a.parquet"):
        footer = parquet.read_footer(tmp_path / name)
        expected = {"shots": 2, "per_question": 3, "temperature": 1.0, "reproducible": True}
        assert expected.items() <= footer.parameters.items()
        templates = {f"src/multirm/text/templates/{each}.txt" for each in ("solve", "solve_open")}
        tables = {"q.parquet", "e.parquet", tiny_model.name}
        assert {*footer.inputs} == tables | templates


def test_exemplars_are_needed_unless_none_are_asked_for(tmp_path: Path, tiny_model: Path) -> None:
    few = exemplars(1)
    with pytest.raises(InputError, match=r"2 correct solutions .* of law, as exemplars, found 1"):
        sample(tmp_path, tiny_model, questions(1), few)
    other = exemplars(2, category="health")
    with pytest.raises(InputError, match=r"of law, as exemplars, found none; .*--shots 0"):
        sample(tmp_path, tiny_model, questions(1), other)
    with pytest.raises(InputError, match=r"tables of solutions .* found none and --shots 2"):
        sample(tmp_path, tiny_model, questions(1), [])
    with pytest.raises(InputError, match="found some and --shots 0"):
        sample(tmp_path, tiny_model, questions(1), few, shots=0)
    assert not (tmp_path / "s.parquet").exists()
    _, bare = sample(tmp_path, tiny_model, questions(1), [], shots=0)
    _, shown = sample(tmp_path, tiny_model, questions(1))
    assert bare[0]["n_tokens_read"] < shown[0]["n_tokens_read"]


def test_a_policy_that_cannot_chat_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path / "mute")
    with pytest.raises(InputError, match="expected a chat template"):
        sample(tmp_path, tmp_path / "mute", questions(1))


def test_the_defaults_are_those_of_versaprm() -> None:
    defaults = {field.name: field.default for field in fields(PolicyOptions)}
    assert (defaults["temperature"], defaults["max_tokens"], defaults["top_p"]) == (0.8, 2048, 1.0)
