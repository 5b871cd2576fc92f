"""The listed tokens are those of the training examples."""

from pathlib import Path
from typing import Any

import pytest

from multirm.critiques.tokens import list_tokens
from multirm.errors import InputError
from multirm.models.load import load_tokenizer
from multirm.tables import parquet
from multirm.tables.critique_rows import with_solutions
from multirm.tables.critiques import CRITIQUES, EXAMPLE_TOKENS
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.text.prompts import Template, render_prompt
from multirm.training.examples import UNLABELLED
from multirm.training.generative import critique_examples
from tests.origins import made_of

STEPS = ["First.", "Second.", "Third."]
ROWS: list[dict[str, Any]] = [
    {
        "dataset": "data",
        "category": category,
        "question_id": "q",
        "solution_id": 0,
        "question": "What is 1 + 1?",
        "answer": "2",
        "steps": STEPS,
        "parsed_answer": "2",
        "outcome": 0,
        "step_labels": [1, 0, 0],
    }
    for category in ("law", "math")
]


def critiques(*kept: bool) -> list[dict[str, Any]]:
    key = ("dataset", "category", "question_id", "solution_id")
    return [
        {
            **{name: row[name] for name in key},
            "critique_id": number,
            "critique": f" {number}.\n</think>\nStep 1: The step is \\boxed{{incorrect}}\n"
            "Is the solution correct? No",
            "verdict": 0,
            "step_verdicts": [0],
            "truncated": False,
            "kept": is_kept,
            "reason": None if is_kept else "too_long",
        }
        for row in ROWS
        for number, is_kept in enumerate(kept)
    ]


def listed(tmp_path: Path, model: Path, *kept: bool) -> list[dict[str, Any]]:
    paths = [tmp_path / f"{name}.parquet" for name in ("s", "c", "t")]
    (tmp_path / "words.txt").write_text('+++\nbetween = "\\n"\n+++\n{question}\n{solution}')
    made_by = {"kind": "gPRM", "stage": "shortened"}
    parquet.write(paths[0], SOLUTIONS, ROWS, made_of())
    parquet.write(paths[1], CRITIQUES, critiques(*kept), made_of(made_by))
    list_tokens(Kind.GPRM, str(model), paths[:1], paths[1:2], paths[2], tmp_path / "words.txt")
    return parquet.read(paths[2], EXAMPLE_TOKENS).to_pylist()


def test_the_first_kept_critique_of_each_category(
    tmp_path: Path, tiny_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        rows = listed(tmp_path, tiny_model, False, True, True)
    tokenizer = load_tokenizer(str(tiny_model))
    template = Template("{question}\n{solution}", "Step {number}: {step}", "\n")
    chosen = [row for row in critiques(False, True, True) if row["critique_id"] == 1]
    pairs = with_solutions(chosen, ROWS, "t")
    examples, _ = critique_examples(Kind.GPRM, tokenizer, template, pairs, 4000)
    for category, example, row in zip(("law", "math"), examples, chosen, strict=True):
        own = [token for token in rows if token["category"] == category]
        assert [token["token"] for token in own] == list(example.ids)
        assert [token["place"] for token in own] == list(range(len(example.ids)))
        # The target of each position is the next token.
        learned = [label != UNLABELLED for label in example.labels]
        assert [token["learned"] for token in own[1:]] == learned[:-1]
        assert {token["critique_id"] for token in own} == {1}
        texts = {True: "", False: ""}
        for token in own:
            texts[token["learned"]] += token["text"]
        assert texts[True] == row["critique"] + str(tokenizer.eos_token)
        assert render_prompt(template, category, "What is 1 + 1?", STEPS[:1]) in texts[False]
        assert f"{category}: {len(own)} tokens, {sum(learned)} of them learned, from" in caplog.text


def test_nothing_to_show(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(InputError, match=r"c\.parquet: expected at least one kept critique"):
        listed(tmp_path, tiny_model, False)
    assert not (tmp_path / "t.parquet").exists()


def test_discriminative_kinds_have_no_critiques(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected gORM or gPRM, found dPRM"):
        list_tokens(Kind.DPRM, "", [], [], tmp_path / "t.parquet")
