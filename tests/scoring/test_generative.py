"""Rewards are the model's own probabilities of the verdict, read at the right token, and null without one."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Completed, Completion, Prompt, Request, TokenCounts
from multirm.engines.decoding import Decoding
from multirm.engines.name import EngineName
from multirm.engines.transformers import TransformersEngine
from multirm.errors import InputError
from multirm.generation.options import GenerationOptions
from multirm.models.load import load_model, load_tokenizer
from multirm.reward_models.base import Solution
from multirm.reward_models.prompts import verification_prompts
from multirm.running.journal import open_journal
from multirm.scoring.generative import score_generative
from multirm.scoring.shards import join_shards
from multirm.study.reward_models import GenerativeScoring
from multirm.tables import parquet
from multirm.tables.reward_models import Kind
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES
from multirm.tables.solutions import SOLUTIONS
from multirm.text.encoding import verdict_candidates
from multirm.text.prompts import VERDICT_MARKS, load_template, own_template
from tests.origins import made_of

GORM = VERDICT_MARKS[Kind.GORM]


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(str(tiny_model))


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

    def generate(self, request: Request) -> Iterator[list[Completed]]:
        for prompt in request.prompts[::-1]:
            followed = self.follow(prompt, request.watch)
            nothing = Completion([], "", {}, truncated=True)
            yield [Completed(prompt, [followed, nothing], TokenCounts(None, None, None))]

    @torch.inference_mode()
    def follow(self, prompt: Prompt, watch: Sequence[int]) -> Completion:
        """Token by token through a decoding of one row, each time told what came before."""
        decoding = Decoding(self._model, [prompt.ids], 1, pad=0)
        watched = {}
        for k, token in enumerate(self.script):
            if token in watch:
                seen = decoding.logits.log_softmax(dim=-1)[0, list(watch)]
                watched[k] = tuple(seen.tolist())
            decoding.step(torch.tensor([token]))
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
    monkeypatch.setattr(GenerationOptions, "load_engine", lambda *_: engine)
    rows = solution_rows(3)
    parquet.write(tmp_path / "s.parquet", SOLUTIONS, rows, made_of())
    score_generative(
        Kind.GORM,
        str(tiny_model),
        "gORM-tiny",
        tmp_path / "s.parquet",
        tmp_path / "r.parquet",
        tmp_path / "c.parquet",
        GenerationOptions(engine=EngineName.TRANSFORMERS),
        samples=2,
    )
    rewards = parquet.read(tmp_path / "r.parquet", REWARDS).to_pylist()
    critiques = parquet.read(tmp_path / "c.parquet", SCORED_CRITIQUES).to_pylist()
    assert [row["question_id"] for row in rewards] == ["q0", "q1", "q2"]
    words = load_template(own_template(Kind.GORM), Kind.GORM)
    prompts = verification_prompts(Kind.GORM, tokenizer, words, map(Solution.of, rows))
    for prompt, reward in zip(prompts, rewards, strict=True):
        with torch.no_grad():
            logits = network(torch.tensor([[*prompt.ids, *before]])).logits[0, -1]
        expected = logits.softmax(dim=-1)[[no, yes]]
        assert reward["rewards"][0] == pytest.approx(float(expected[1] / expected.sum()), abs=1e-5)
        assert reward["rewards"][1] is None
        assert reward["n_tokens_read"] == len(prompt.ids)
        assert reward["n_tokens_generated"] == len(engine.script)
        assert reward["flops"] > 0
        assert reward["truncated"]
    assert [row["reward"] for row in critiques] == [r for row in rewards for r in row["rewards"]]
    assert [row["truncated"] for row in critiques] == [False, True] * 3
    assert [row["reason"] for row in critiques] == [None, "context"] * 3


OPTIONS = GenerationOptions(engine=EngineName.TRANSFORMERS, max_tokens=10, temperature=1.0)


def score_tiny(
    tmp_path: Path, model: Path, rows: list[dict[str, Any]], **settings: Any
) -> list[dict[str, Any]]:
    parquet.write(tmp_path / "s.parquet", SOLUTIONS, rows, made_of())
    score_generative(
        Kind.GPRM,
        str(model),
        "gPRM-tiny",
        tmp_path / "s.parquet",
        tmp_path / "r.parquet",
        tmp_path / "c.parquet",
        **{"options": OPTIONS, "samples": 2, **settings},
    )
    return parquet.read(tmp_path / "c.parquet", SCORED_CRITIQUES).to_pylist()


def test_critiques_belong_to_solutions_not_to_tables(tmp_path: Path, tiny_model: Path) -> None:
    rows = solution_rows(5)
    everything = score_tiny(tmp_path, tiny_model, rows)
    part = score_tiny(tmp_path, tiny_model, rows[3:0:-1])
    texts = {(row["question_id"], row["critique_id"]): row["critique"] for row in everything}
    assert len(everything) == 10
    assert all(texts[row["question_id"], row["critique_id"]] == row["critique"] for row in part)


@pytest.mark.parametrize("adaptive", [None, 0.05])
def test_shards_together_are_the_whole(
    tmp_path: Path, tiny_model: Path, adaptive: float | None
) -> None:
    rows = solution_rows(5)
    whole = score_tiny(tmp_path, tiny_model, rows, adaptive=adaptive)
    rewards = parquet.read(tmp_path / "r.parquet", REWARDS).to_pylist()
    for number in (1, 2, 3):
        score_tiny(tmp_path, tiny_model, rows, adaptive=adaptive, shard=f"{number}/3")
        for name in ("c", "r"):
            (tmp_path / f"{name}.parquet").rename(tmp_path / f"{name}{number}.parquet")
    for name, schema, expected in (
        ("c", SCORED_CRITIQUES, whole),
        ("r", REWARDS, rewards),
    ):
        parts = [tmp_path / f"{name}{number}.parquet" for number in (3, 1, 2)]
        join_shards(tmp_path / "s.parquet", parts, tmp_path / "joined.parquet")
        assert parquet.read(tmp_path / "joined.parquet", schema).to_pylist() == expected


def test_the_footer_says_how_critiques_were_sampled(tmp_path: Path, tiny_model: Path) -> None:
    score_tiny(tmp_path, tiny_model, solution_rows(1))
    for name in ("c.parquet", "r.parquet"):
        parameters = parquet.read_footer(tmp_path / name).parameters
        assert parameters["engine"] == "transformers"
        assert parameters["reproducible"] is True
        assert parameters["adaptive"] is None
        assert OPTIONS.parameters.items() <= parameters.items()


def test_what_is_left_out_is_never_drawn(tmp_path: Path, tiny_model: Path) -> None:
    for narrow in ({"top_k": 1}, {"min_p": 1.0}, {"top_p": 1e-9}):
        options = dataclasses.replace(OPTIONS, **narrow)
        first, second = score_tiny(tmp_path, tiny_model, solution_rows(1), options=options)
        assert first["critique"] == second["critique"]
    first, second = score_tiny(tmp_path, tiny_model, solution_rows(1))
    assert first["critique"] != second["critique"]


def test_the_defaults_are_the_studys() -> None:
    for field in dataclasses.fields(GenerationOptions):
        if field.name not in ("engine", "seed"):
            assert GenerativeScoring.model_fields[field.name].default == field.default


class Verifier(TransformersEngine):
    """Yes or No with a probability and a verdict that sample i of a solution has by its number alone."""

    asked: list[tuple[str, int, int]]

    def generate(self, request: Request) -> Iterator[list[Completed]]:
        n, first = request.sampling.n, request.sampling.first
        for prompt in request.prompts:
            pool, solution = str(prompt.key[-2]), int(prompt.key[-1])
            self.asked += [(pool, solution, first + k) for k in range(n)]
            verified = [self.verified(solution)] * n
            yield [Completed(prompt, verified, TokenCounts(None, None, None))]

    def verified(self, solution: int) -> Completion:
        """Only the first solution is right; the last one's critiques come to no verdict."""
        if solution == 3:
            return Completion([5], "Hm", {}, truncated=False)
        ids = self._tokenizer.encode(f"\n</think>\n{GORM} Yes", add_special_tokens=False)
        log_probabilities = (-3.0, -0.1) if solution == 0 else (-0.1, -3.0)
        return Completion(
            ids, self._tokenizer.decode(ids), {len(ids) - 1: log_probabilities}, False
        )


def test_adaptive_sampling_stops_once_the_best_is_sure(
    tmp_path: Path,
    tiny_model: Path,
    tokenizer: PreTrainedTokenizerBase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Verifier(load_model(str(tiny_model)), tokenizer)
    engine.asked = []
    monkeypatch.setattr(GenerationOptions, "load_engine", lambda *_: engine)
    pool = [{**row, "question_id": "q", "solution_id": k} for k, row in enumerate(solution_rows(4))]
    other = [{**row, "question_id": "other", "solution_id": k} for k, row in enumerate(pool[:2])]
    parquet.write(tmp_path / "s.parquet", SOLUTIONS, [*pool, *other], made_of())
    score_generative(
        Kind.GORM,
        str(tiny_model),
        "gORM-tiny",
        tmp_path / "s.parquet",
        tmp_path / "r.parquet",
        tmp_path / "c.parquet",
        GenerationOptions(engine=EngineName.TRANSFORMERS),
        adaptive=0.0,
    )
    # 0.95 a critique against 0.05: after six of ten the others cannot catch up. Without a verdict
    # anything is possible: the first one ahead, it is sampled on with the one that no verdict rules out.
    rewards = parquet.read(tmp_path / "r.parquet", REWARDS).to_pylist()
    assert [len(row["rewards"]) for row in rewards] == [10, 6, 6, 10, 6, 6]
    assert len(engine.asked) == len(set(engine.asked)) == 44
    assert parquet.read_footer(tmp_path / "r.parquet").parameters["adaptive"] == 0


def test_adaptively_sampled_critiques_are_the_first_of_all(
    tmp_path: Path, tiny_model: Path
) -> None:
    """A random model comes to no verdict, so that all are sampled, in rounds."""
    rows = [{**row, "question_id": "q", "solution_id": k} for k, row in enumerate(solution_rows(4))]
    at_once = score_tiny(tmp_path, tiny_model, rows, samples=7)
    assert score_tiny(tmp_path, tiny_model, rows, samples=7, adaptive=0.05) == at_once


@pytest.mark.parametrize("adaptive", [-0.1, 1.0, float("nan")])
def test_an_error_that_is_no_probability_is_refused(
    tmp_path: Path, tiny_model: Path, adaptive: float
) -> None:
    with pytest.raises(InputError, match="--adaptive: expected a probability below 1, found"):
        score_tiny(tmp_path, tiny_model, solution_rows(1), adaptive=adaptive)


def test_a_second_job_on_the_same_table_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    with (
        open_journal(tmp_path / "r.parquet", made_of()),
        pytest.raises(InputError, match="no other process working on the same table"),
    ):
        score_tiny(tmp_path, tiny_model, solution_rows(1))


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
        paths = [tmp_path / name for name in "src"]
        score_generative(Kind.DORM, "", "", *paths, options=OPTIONS)
