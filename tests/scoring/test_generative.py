"""Rewards are the model's own probabilities of the verdict, read at the right token, and null without one."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from multirm import tables
from multirm.encoding import verdict_candidates
from multirm.engines.base import Completion, Prompt, Sampling
from multirm.engines.transformers import TransformersEngine
from multirm.errors import InputError
from multirm.models import load_model, load_tokenizer
from multirm.prompts import VERDICT_MARKS, load_template
from multirm.scoring import generative
from multirm.scoring.generative import score, score_generative, verdict_place, yes_probability
from multirm.verification import verification_prompts
from multirm.vocabulary import EngineName, Kind

GORM, GPRM = VERDICT_MARKS[Kind.GORM], VERDICT_MARKS[Kind.GPRM]


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(str(tiny_model))


def completion(tokenizer: PreTrainedTokenizerBase, *pieces: str) -> Completion:
    """A completion whose pieces are tokenized apart; what is watched at place k is (-k, -2k)."""
    ids = [i for piece in pieces for i in tokenizer.encode(piece, add_special_tokens=False)]
    watched = [(-float(k), -2.0 * k) for k in range(len(ids))]
    return Completion(ids, tokenizer.decode(ids), watched, truncated=False)


@pytest.mark.parametrize(
    ("kind", "pieces", "before"),
    [
        (Kind.GORM, [f" Hm.\n</think>\n{GORM}", " Yes"], 1),
        (Kind.GORM, [f" Hm — ß.\n</think>\n{GORM}", " No", "\nBye, No"], 1),
        (Kind.GORM, [f" {GORM} Yes\n</think>\n{GORM} No or\n{GORM}", " Yes", " No"], 1),
        (Kind.GORM, [f" Hm.\n</think>\n{GORM}\n", " Yes", "."], 1),
        (Kind.GPRM, [f"\nStep 1: …\n</think>\n{GPRM}", " No"], 1),
        (Kind.GORM, [f" Hm.\n{GORM} Yes"], None),
        (Kind.GORM, [f" {GORM} Yes\n</think>\nNo idea. Yes"], None),
        (Kind.GORM, [f" Hm.\n</think>\n{GPRM} Yes"], None),
        (Kind.GORM, [f" Hm.\n</think>\n{GORM}"], None),
        (Kind.GORM, [f" Hm.\n</think>\n{GORM}", " Yes", "terday"], None),
        (Kind.GORM, [f" Hm.\n</think>\n{GORM}", " ", "Yes"], None),
        (Kind.GORM, [""], None),
    ],
)
def test_the_verdict_is_found_where_it_stands(
    tokenizer: PreTrainedTokenizerBase, kind: Kind, pieces: list[str], before: int | None
) -> None:
    found = verdict_place(
        kind, tokenizer, verdict_candidates(tokenizer), completion(tokenizer, *pieces)
    )
    if before is None:
        assert found is None
    else:
        assert found == len(completion(tokenizer, *pieces[:before]).ids)


def test_yes_probability() -> None:
    assert yes_probability((math.log(0.1), math.log(0.3))) == pytest.approx(0.75)
    assert yes_probability((-1.0, -1000.0)) == 0
    assert yes_probability((-1000.0, -1.0)) == 1


def test_a_critique_without_a_verdict_has_no_reward(tokenizer: PreTrainedTokenizerBase) -> None:
    scored = score(
        Kind.GORM, tokenizer, verdict_candidates(tokenizer), completion(tokenizer, " Hm")
    )
    assert scored["reward"] is None
    assert scored["n_tokens"] > 0


def solution_rows(n: int) -> list[dict[str, Any]]:
    return [
        {
            "dataset": "data",
            "category": "law",
            "question_id": f"q{k}",
            "solution_id": 0,
            "question": "What is 1 + 1?",
            "answer": "2",
            "steps": ["One and one.", f"It is {k}."],
            "parsed_answer": str(k),
            "outcome": int(k == 2),
            "step_labels": None,
        }
        for k in range(n)
    ]


class Scripted(TransformersEngine):
    """Reads the model's probabilities as ever, but follows a script in place of its samples."""

    script: list[int]

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, watch: Sequence[int], seed: int
    ) -> Iterator[tuple[Prompt, list[Completion]]]:
        for prompt in prompts[::-1]:
            yield prompt, [self.follow(prompt, watch), Completion([], "", [], truncated=True)]

    @torch.inference_mode()
    def follow(self, prompt: Prompt, watch: Sequence[int]) -> Completion:
        """Token by token through the greedy engine, each time told what came before."""
        watched = []
        for k in range(len(self.script)):
            part = Prompt(prompt.key, [*prompt.ids, *self.script[:k]])
            ((_, (sample,)),) = super().generate([part], Sampling(1, 1, temperature=0), watch, 0)
            watched += sample.watched
        return Completion(self.script, self._tokenizer.decode(self.script), watched, False)


def test_rewards_are_the_verdicts_probabilities_in_a_full_forward_pass(
    tmp_path: Path,
    tiny_model: Path,
    tokenizer: PreTrainedTokenizerBase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = load_model(str(tiny_model))
    engine = Scripted(network, tokenizer)
    before = tokenizer.encode(f" Ok.\n</think>\n{GORM}", add_special_tokens=False)
    no, yes = verdict_candidates(tokenizer)
    engine.script = [*before, yes, *tokenizer.encode(" Done.", add_special_tokens=False)]
    monkeypatch.setattr(generative, "load_engine", lambda *_: engine)
    rows = solution_rows(3)
    tables.write(tmp_path / "s.parquet", tables.SOLUTIONS, rows, parameters={}, inputs=[])
    score_generative(
        Kind.GORM,
        str(tiny_model),
        "gORM-tiny",
        EngineName.TRANSFORMERS,
        tmp_path / "s.parquet",
        tmp_path / "r.parquet",
        tmp_path / "c.parquet",
        samples=2,
    )
    rewards = tables.read(tmp_path / "r.parquet", tables.REWARDS).to_pylist()
    critiques = tables.read(tmp_path / "c.parquet", tables.SCORED_CRITIQUES).to_pylist()
    assert [row["question_id"] for row in rewards] == ["q0", "q1", "q2"]
    prompts = verification_prompts(Kind.GORM, tokenizer, load_template(Kind.GORM), rows)
    for prompt, reward in zip(prompts, rewards, strict=True):
        with torch.no_grad():
            logits = network(torch.tensor([[*prompt.ids, *before]])).logits[0, -1]
        expected = logits.softmax(dim=-1)[[no, yes]]
        assert reward["rewards"][0] == pytest.approx(float(expected[1] / expected.sum()), abs=1e-5)
        assert reward["rewards"][1] is None
        assert reward["n_tokens"] == len(engine.script)
        assert reward["truncated"]
    assert [row["reward"] for row in critiques] == [r for row in rewards for r in row["rewards"]]
    assert [row["truncated"] for row in critiques] == [False, True] * 3


def score_tiny(tmp_path: Path, model: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    tables.write(tmp_path / "s.parquet", tables.SOLUTIONS, rows, parameters={}, inputs=[])
    score_generative(
        Kind.GPRM,
        str(model),
        "gPRM-tiny",
        EngineName.TRANSFORMERS,
        tmp_path / "s.parquet",
        tmp_path / "r.parquet",
        tmp_path / "c.parquet",
        samples=2,
        max_tokens=10,
        temperature=1.0,
    )
    return tables.read(tmp_path / "c.parquet", tables.SCORED_CRITIQUES).to_pylist()


def test_critiques_belong_to_solutions_not_to_tables(tmp_path: Path, tiny_model: Path) -> None:
    rows = solution_rows(5)
    everything = score_tiny(tmp_path, tiny_model, rows)
    part = score_tiny(tmp_path, tiny_model, rows[3:0:-1])
    texts = {(row["question_id"], row["critique_id"]): row["critique"] for row in everything}
    assert len(everything) == 10
    assert all(texts[row["question_id"], row["critique_id"]] == row["critique"] for row in part)


def test_an_empty_split_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(InputError, match="expected at least one solution"):
        score_tiny(tmp_path, tiny_model, [])


def test_a_model_whose_verdicts_are_several_tokens_is_refused(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    folder = tmp_path / "model"
    tokenizer.save_pretrained(folder)
    settings = folder / "tokenizer.json"
    content = json.loads(settings.read_text("utf-8"))
    merges = content["model"]["merges"]
    content["model"]["merges"] = [pair for pair in merges if "".join(pair) != "ĠYes"]
    settings.write_text(json.dumps(content), "utf-8")
    with pytest.raises(InputError, match="to be a single token"):
        score_tiny(tmp_path, folder, solution_rows(1))
    assert not (tmp_path / "r.parquet").exists()


def test_discriminative_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected gORM or gPRM, found dORM"):
        score_generative(Kind.DORM, "", "", EngineName.TRANSFORMERS, tmp_path, tmp_path, tmp_path)
