"""Generative training: the loss is only on critiques, nothing is truncated, and adapters load with peft."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from multirm.errors import InputError
from multirm.models.load import load_model, load_tokenizer
from multirm.models.packing import attend_in_packs
from multirm.running.provenance import read_from_folder
from multirm.tables import parquet
from multirm.tables.critique_rows import with_solutions
from multirm.tables.critiques import CRITIQUES
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.training import CURVES, EXAMPLES
from multirm.text.encoding import encode_prompt
from multirm.text.prompts import VERDICT_MARKS, Template, load_template, own_template
from multirm.training.examples import UNLABELLED
from multirm.training.generative import GenerativeRecipe, critique_examples, train_generative
from multirm.training.objectives import prediction
from tests.conftest import CHAT_TEMPLATE
from tests.origins import made_of


def solution(number: int, labels: list[int]) -> dict[str, Any]:
    return {
        "dataset": "data",
        "category": "law",
        "question_id": "q",
        "solution_id": number,
        "question": "What is 1 + 1?",
        "answer": "2",
        "steps": ["First step.", "Second step.", "Third step."],
        "parsed_answer": "2",
        "outcome": int(all(labels)),
        "step_labels": labels,
    }


def critique(of: int, verdict: int, thought: str = " Hm.", kept: bool = True) -> dict[str, Any]:
    word = "Yes" if verdict else "No"
    return {
        "dataset": "data",
        "category": "law",
        "question_id": "q",
        "solution_id": of,
        "critique_id": 0,
        "critique": f"{thought}\n</think>\n{VERDICT_MARKS[Kind.GPRM]} {word}",
        "verdict": verdict,
        "step_verdicts": None,
        "n_tokens": None,
        "truncated": False,
        "kept": kept,
        "reason": None if kept else "duplicate",
    }


SOLUTION_ROWS = [solution(0, [1, 1, 1]), solution(1, [1, 0, 0])]
CRITIQUE_ROWS = [critique(0, 1, " All is well."), critique(1, 0)]
PAIRS = with_solutions(CRITIQUE_ROWS, SOLUTION_ROWS, "critiques")


def test_the_loss_equals_a_plain_loop_over_the_completions(tiny_model: Path) -> None:
    tokenizer, model = load_tokenizer(str(tiny_model)), load_model(str(tiny_model))
    template = load_template(own_template(Kind.GORM), Kind.GORM)
    examples, _ = critique_examples(Kind.GORM, tokenizer, template, PAIRS, 4000)
    losses = []
    for (row, _), example in zip(PAIRS, examples, strict=True):
        completion = tokenizer.encode(row["critique"], add_special_tokens=False)
        completion.append(tokenizer.eos_token_id)
        prompt = list(example.ids[: -len(completion)])
        assert list(example.ids) == prompt + completion
        for k, token in enumerate(completion):
            with torch.no_grad():
                logits = model(torch.tensor([prompt + completion[:k]])).logits[0, -1]
            losses.append(-logits.log_softmax(dim=-1)[token])
    # Last, because a model that reads packs reads nothing else.
    attend_in_packs(model)
    with torch.no_grad():
        found = prediction().loss(model, examples) / sum(example.count for example in examples)
    torch.testing.assert_close(found, torch.stack(losses).mean(), atol=1e-5, rtol=1e-5)


def test_gprm_sees_the_solution_up_to_its_first_error(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    template = Template("{question}|{solution}", "Step {number}: {step}")
    examples, tally = critique_examples(Kind.GPRM, tokenizer, template, PAIRS, 4000)
    shown = [
        "What is 1 + 1?|Step 1: First step.\n\nStep 2: Second step.\n\nStep 3: Third step.",
        "What is 1 + 1?|Step 1: First step.\n\nStep 2: Second step.",
    ]
    for text, example in zip(shown, examples, strict=True):
        prompt = encode_prompt(tokenizer, text)
        assert list(example.ids[: len(prompt)]) == prompt
        assert list(example.labels[: len(prompt) - 1]) == [UNLABELLED] * (len(prompt) - 1)
        assert example.labels[len(prompt) - 1 : -1] == example.ids[len(prompt) :]
    assert (tally.used["law"], tally.positive["law"]) == (2, 1)
    # A critique that calls another step incorrect than the labels do (relaxed) ends at its own step.
    (critique, row), *_ = PAIRS
    earlier = [({**critique, "step_verdicts": [0], "verdict": 0}, row)]
    (example,), _ = critique_examples(Kind.GPRM, tokenizer, template, earlier, 4000)
    prompt = encode_prompt(tokenizer, "What is 1 + 1?|Step 1: First step.")
    assert list(example.ids[: len(prompt)]) == prompt


def test_long_examples_are_left_out_and_counted(tiny_model: Path) -> None:
    tokenizer, template = (
        load_tokenizer(str(tiny_model)),
        load_template(own_template(Kind.GORM), Kind.GORM),
    )
    everything, _ = critique_examples(Kind.GORM, tokenizer, template, PAIRS, 4000)
    longest = max(len(example.ids) for example in everything)
    left, tally = critique_examples(Kind.GORM, tokenizer, template, PAIRS, longest - 1)
    assert left == everything[1:]
    assert (tally.used["law"], tally.too_long["law"]) == (1, 1)


FILTERED = {"kind": "gPRM", "stage": "filtered"}


def trained(
    tmp_path: Path,
    backbone: Path,
    critiques: list[dict[str, Any]],
    made_by: dict[str, Any] = FILTERED,
    solutions: list[dict[str, Any]] = SOLUTION_ROWS,
    **settings: Any,
) -> Path:
    path = tmp_path / "c.parquet"
    parquet.write(tmp_path / "s.parquet", SOLUTIONS, solutions, made_of())
    parquet.write(path, CRITIQUES, critiques, made_of(made_by))
    train_generative(
        Kind.GPRM,
        "gPRM-tiny",
        str(backbone),
        [tmp_path / "s.parquet"],
        [path],
        tmp_path / "adapter",
        tmp_path / "curve.parquet",
        tmp_path / "examples.parquet",
        recipe=GenerativeRecipe(
            **{
                "epochs": 30,
                "learning_rate": 3e-2,
                "batch_size": 2,
                "rank": 4,
                "dropout": 0,
                **settings,
            },
        ),
    )
    return tmp_path / "adapter"


def test_training_learns_the_critiques_and_leaves_a_peft_folder(
    tmp_path: Path, tiny_model: Path
) -> None:
    adapter = trained(tmp_path, tiny_model, [*CRITIQUE_ROWS])
    curve = parquet.read(tmp_path / "curve.parquet", CURVES).to_pylist()
    assert curve[-1]["loss"] < curve[0]["loss"] - 0.1
    assert curve[-1]["learning_rate"] < 0.1 * max(row["learning_rate"] for row in curve)
    (counts,) = parquet.read(tmp_path / "examples.parquet", EXAMPLES).to_pylist()
    assert (counts["n_used"], counts["n_positive"], counts["n_too_long"]) == (2, 1, 0)
    model = PeftModel.from_pretrained(load_model(str(tiny_model)), str(adapter))
    assert model.peft_config["default"].r == 4


@pytest.mark.parametrize("is_told", [False, True])
def test_the_date_in_prompts_is_in_the_provenance(
    tmp_path: Path, tiny_model: Path, is_told: bool
) -> None:
    backbone = shutil.copytree(tiny_model, tmp_path / "backbone")
    asked = "{{ strftime_now('%Y') }}" if is_told else ""
    (backbone / "chat_template.jinja").write_text(asked + CHAT_TEMPLATE)
    told = read_from_folder(trained(tmp_path, backbone, [*CRITIQUE_ROWS], epochs=1))
    assert told is not None
    assert told.parameters.get("date") == ("2024-07-26" if is_told else None)


def test_without_kept_critiques_nothing_is_trained(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(InputError, match=r"c\.parquet: expected at least one kept critique"):
        trained(tmp_path, tiny_model, [critique(0, 1, kept=False)])
    assert not (tmp_path / "adapter").exists()


@pytest.mark.parametrize(
    ("made_by", "found"),
    [
        (FILTERED | {"kind": "gORM"}, "found gORM, filtered"),
        (FILTERED | {"stage": "generated"}, "found gPRM, generated"),
        ({}, "found an unknown kind, an unknown stage"),
    ],
)
def test_critiques_of_another_kind_or_unfiltered_are_refused(
    tmp_path: Path, tiny_model: Path, made_by: dict[str, Any], found: str
) -> None:
    expected = "expected gPRM critiques, filtered or shortened"
    with pytest.raises(InputError, match=rf"c\.parquet: {expected}, {found}"):
        trained(tmp_path, tiny_model, CRITIQUE_ROWS, made_by)
    assert not (tmp_path / "adapter").exists()


def test_an_empty_split_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(InputError, match=r"s\.parquet: expected at least one solution, found none"):
        trained(tmp_path, tiny_model, CRITIQUE_ROWS, solutions=[])


def test_a_backbone_without_an_eos_token_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "endless")
    tokenizer = load_tokenizer(str(tiny_model))
    tokenizer.eos_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(InputError, match="expected an end-of-sequence token"):
        trained(tmp_path, folder, CRITIQUE_ROWS)


def test_if_all_are_too_long_the_error_says_so(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(InputError, match="2 over 10 tokens"):
        trained(tmp_path, tiny_model, CRITIQUE_ROWS, max_length=10)


def test_a_backbone_that_cannot_chat_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path / "mute")
    with pytest.raises(InputError, match="expected a chat template"):
        trained(tmp_path, tmp_path / "mute", CRITIQUE_ROWS)


def test_discriminative_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected gORM or gPRM, found dPRM"):
        train_generative(Kind.DPRM, "", "", [], [], *(tmp_path / name for name in "ace"))
