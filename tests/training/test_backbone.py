"""The backbone: a lossless tokenizer, a model that learns, and the same files from the same seed."""

import logging
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from multirm.errors import InputError
from multirm.models.load import load_model, load_tokenizer
from multirm.tables import parquet
from multirm.tables.conversations import CONVERSATIONS
from multirm.tables.critiques import CRITIQUES
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.training import CURVES
from multirm.text.encoding import (
    encode_critique,
    encode_reply,
    encode_solution,
    step_candidates,
    verdict_candidates,
)
from multirm.text.prompts import (
    END_OF_THINKING,
    REPLY_START,
    VERDICT_MARKS,
    load_template,
    own_template,
)
from multirm.training.backbone import (
    PretrainingRecipe,
    pretrain_backbone,
    pretraining_loss,
)
from multirm.training.examples import UNLABELLED
from multirm.training.pretraining_examples import PretrainingExample
from multirm.training.tokenizer import shared_lines, train_tokenizer
from tests.origins import made_of
from tests.training.test_loop import killed_in_step

TEXTS = ["The number of iron is 26.", "A. 12\nB. 14\nC. 1024", "So 26 + 3 = 29, 29 - 3 = 26."]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(
        TEXTS * 20,
        [load_template(own_template(kind), kind).text for kind in (Kind.GORM, Kind.GPRM)],
        500,
        512,
    )


def test_any_text_is_encoded_without_loss(tokenizer: PreTrainedTokenizerFast) -> None:
    @given(st.text(max_size=40))
    def check(text: str) -> None:
        text = text.encode("utf-8", "ignore").decode()
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text

    check()


def test_the_tokens_that_rewards_are_read_from_are_single(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    assert len({*step_candidates(tokenizer), *verdict_candidates(tokenizer)}) == 4
    for kind in (Kind.GORM, Kind.GPRM):
        critique = f" Fine.\n{END_OF_THINKING}\n{VERDICT_MARKS[kind]} Yes"
        ids = encode_critique(tokenizer, "Is it so?", critique).ids
        assert ids[-2:] == [verdict_candidates(tokenizer)[1], tokenizer.eos_token_id]
    for text in REPLY_START.split("\n")[0], END_OF_THINKING:
        (token,) = tokenizer.encode(text, add_special_tokens=False)
        assert tokenizer.decode([token], skip_special_tokens=True) == text


def test_begin_of_text_comes_once(tokenizer: PreTrainedTokenizerFast) -> None:
    for ids in (
        encode_solution(tokenizer, "Why?", ["So.", "Thus."]).ids,
        encode_critique(tokenizer, "Why?", " So.").ids,
    ):
        assert ids[0] == tokenizer.bos_token_id
        assert ids.count(tokenizer.bos_token_id) == 1


def tables_of(folder: Path) -> tuple[Path, Path, Path]:
    """Correct and incorrect sums, and critiques of them."""
    solutions, gorm, gprm = (folder / f"{name}.parquet" for name in ("solutions", "gorm", "gprm"))
    rows = []
    for i in range(40):
        right = i // 2 % 2
        total = i % 5 + 2 if right else 99
        rows.append(
            {
                "dataset": "sums",
                "category": "math",
                "question_id": f"q{i}",
                "solution_id": 0,
                "question": f"What is {i % 5} + 2?",
                "answer": str(i % 5 + 2),
                "steps": [f"It is {total}.", f"The answer is {total}."],
                "parsed_answer": str(total),
                "outcome": right,
                "step_labels": [right, right],
            }
        )
    parquet.write(solutions, SOLUTIONS, rows, made_of())
    for path, kind in ((gorm, Kind.GORM), (gprm, Kind.GPRM)):
        critiques = [
            {
                **{name: row[name] for name in SOLUTIONS.key},
                "critique_id": 0,
                "critique": f" Ok.\n{END_OF_THINKING}\n{VERDICT_MARKS[kind]}"
                + (" Yes" if row["outcome"] else " No"),
                "verdict": row["outcome"],
                "step_verdicts": None,
                "n_tokens": None,
                "truncated": False,
                "kept": True,
                "reason": None,
            }
            for row in rows
        ]
        parquet.write(path, CRITIQUES, critiques, made_of())
    return solutions, gorm, gprm


def pretrain(
    folder: Path,
    output: Path,
    *,
    tokens: int = 60_000,
    max_length: int = 256,
    solutions: Path | None = None,
    conversations: list[Path] | None = None,
) -> Path:
    made, gorm, gprm = tables_of(folder)
    pretrain_backbone(
        solutions=[solutions or made],
        gorm_demonstrations=[gorm],
        gprm_demonstrations=[gprm],
        output=output,
        curve=output.with_suffix(".parquet"),
        recipe=PretrainingRecipe(
            layers=2,
            width=32,
            vocabulary=500,
            tokens=tokens,
            batch_tokens=512,
            learning_rate=3e-3,
            max_length=max_length,
            seed=5,
        ),
        name="mini",
        conversations=conversations,
    )
    return output


def talks_about(solutions: Path, output: Path) -> Path:
    """A conversation about each solution, in which the reply repeats what was asked for."""
    rows = [
        {
            **{name: row[name] for name in SOLUTIONS.key},
            "task": "solve",
            "turns": [f"Say it.\n{word}"],
            "reply": word,
        }
        for row in parquet.read(solutions, SOLUTIONS).to_pylist()
        for word in (("right", "wrong")[row["outcome"]],)
    ]
    parquet.write(output, CONVERSATIONS, rows, made_of())
    return output


def test_a_pretrained_backbone_loads_and_has_learned(tmp_path: Path) -> None:
    folder = pretrain(tmp_path, tmp_path / "backbone")
    assert (folder / "model.safetensors").is_file()
    model, tokenizer = load_model(str(folder)), load_tokenizer(str(folder))
    curve = parquet.read(tmp_path / "backbone.parquet", CURVES).to_pylist()
    assert [point["model"] for point in curve] == ["mini"] * 20
    assert curve[-1]["loss"] < 0.5 * curve[0]["loss"]
    minus, plus = step_candidates(tokenizer)
    for total, label in ((3, 1), (99, 0)):
        encoded = encode_solution(tokenizer, "What is 1 + 2?", [f"It is {total}."])
        with torch.no_grad():
            logits = model(torch.tensor([encoded.ids])).logits[0, encoded.step_ends[0]]
        assert logits.argmax() == (plus if label else minus)


def test_the_same_seed_makes_the_same_weights(tmp_path: Path) -> None:
    first = pretrain(tmp_path, tmp_path / "first", tokens=5000)
    torch.manual_seed(99)
    second = pretrain(tmp_path, tmp_path / "second", tokens=5000)
    for name in ("model.safetensors", "tokenizer.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_killed_run_resumes_to_the_same_weights(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    whole = pretrain(tmp_path, tmp_path / "whole", tokens=5000)
    with killed_in_step(7):
        pretrain(tmp_path, tmp_path / "killed", tokens=5000)
    assert (tmp_path / ".killed.checkpoints" / "checkpoint.pt").is_file()
    killed = pretrain(tmp_path, tmp_path / "killed", tokens=5000)
    assert "mini: resuming from step 6" in caplog.text
    name = "model.safetensors"
    assert (killed / name).read_bytes() == (whole / name).read_bytes()
    curves = [parquet.read(tmp_path / f"{run}.parquet", CURVES) for run in ("whole", "killed")]
    assert curves[0].equals(curves[1])
    assert not (tmp_path / ".killed.checkpoints").exists()


def test_replies_of_conversations_are_learned(tmp_path: Path) -> None:
    talks = talks_about(tables_of(tmp_path)[0], tmp_path / "talks.parquet")
    folder = pretrain(tmp_path, tmp_path / "backbone", conversations=[talks])
    model, tokenizer = load_model(str(folder)), load_tokenizer(str(folder))
    assert len(tokenizer.encode("Say it.", add_special_tokens=False)) == 1
    for word in ("right", "wrong"):
        encoded = encode_reply(tokenizer, [f"Say it.\n{word}"], word)
        with torch.no_grad():
            logits = model(torch.tensor([encoded.ids])).logits[0]
        likeliest = logits.argmax(-1)[encoded.n_prompt - 1 : -1].tolist()
        assert likeliest == encoded.ids[encoded.n_prompt :]


def test_conversations_about_other_solutions_are_refused(tmp_path: Path) -> None:
    talks = talks_about(tables_of(tmp_path)[0], tmp_path / "talks.parquet")
    rows = parquet.read(talks, CONVERSATIONS).to_pylist()
    parquet.write(talks, CONVERSATIONS, [{**rows[0], "question_id": "other"}], made_of())
    with pytest.raises(
        InputError, match=r"conversations, row 1: .* given solutions, found .*other"
    ):
        pretrain(tmp_path, tmp_path / "backbone", conversations=[talks])


def test_the_lines_that_all_conversations_of_a_task_share_are_its_template() -> None:
    rows = [
        {"task": "solve", "turns": ["Why\nnot?", "So.", "Solve:\n\n[Q]\none\nA. two"]},
        {"task": "solve", "turns": ["Solve:\n\n[Q]\nthree"]},
        {"task": "judge", "turns": ["Judge:\none"]},
    ]
    assert shared_lines(rows) == ["Solve:\n\n[Q]", "Judge:\none"]


def test_nothing_short_enough_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="max_length: expected at least one text of at most"):
        pretrain(tmp_path, tmp_path / "backbone", max_length=3)
    assert not (tmp_path / "backbone").exists()


def test_demonstrations_of_other_solutions_are_refused(tmp_path: Path) -> None:
    made, _, _ = tables_of(tmp_path)
    rows = parquet.read(made, SOLUTIONS)
    other = tmp_path / "other.parquet"
    parquet.write(other, SOLUTIONS, rows.slice(0, 3), made_of())
    with pytest.raises(InputError, match=r"a row about one of the given solutions, found .*'q3'"):
        pretrain(tmp_path, tmp_path / "backbone", solutions=other)


def test_no_solutions_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.parquet"
    parquet.write(empty, SOLUTIONS, [], made_of())
    with pytest.raises(InputError, match="at least one solution"):
        pretrain(tmp_path, tmp_path / "backbone", solutions=empty)


def test_each_prediction_has_its_weight(tiny_model: Path) -> None:
    examples = [
        PretrainingExample([5, 6, 7], [6, UNLABELLED, 30], [1.0, 3.0, 3.0], joins=0.0),
        PretrainingExample([8, 9], [9, UNLABELLED], [2.0, 1.0], joins=0.0),
    ]
    assert [example.count for example in examples] == [4, 2]
    model = load_model(str(tiny_model), torch.float32)
    expected = torch.tensor(0.0)
    for example in examples:
        logits = model(torch.tensor([example.ids])).logits[0].log_softmax(-1)
        for place, (label, weight) in enumerate(zip(example.labels, example.weights, strict=True)):
            if label != UNLABELLED:
                expected = expected - weight * logits[place, label]
    torch.testing.assert_close(pretraining_loss(model, examples), expected)
