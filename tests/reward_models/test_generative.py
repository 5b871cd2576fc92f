"""Critiques and rewards of solutions, as a caller of the library gets them; which token is the verdict."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Completed, Completion, Request, TokenCounts
from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.generation.options import GenerationOptions
from multirm.models.flops import DecoderFlops
from multirm.models.load import load_tokenizer
from multirm.reward_models import generative
from multirm.reward_models.base import Rewards, Solution
from multirm.reward_models.generative import (
    CritiqueFormat,
    GenerativeModel,
    load_generative,
    verdict_place,
    yes_probability,
)
from multirm.tables.reward_models import Kind
from multirm.tables.rewards import Scale, Unit
from multirm.text.encoding import verdict_candidates
from multirm.text.prompts import VERDICT_MARKS, load_template, own_template

GORM, GPRM = VERDICT_MARKS[Kind.GORM], VERDICT_MARKS[Kind.GPRM]
TEMPLATE = load_template(own_template(Kind.GORM), Kind.GORM)
OPTIONS = GenerationOptions(engine=EngineName.TRANSFORMERS, max_tokens=8, temperature=1.0)
SOLUTIONS = [
    Solution("What is 2 + 3?", ("2 + 3 = 5.", f"The answer is {k}.")[: 1 + k % 2], "math", ("d", k))
    for k in range(5)
]


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(str(tiny_model))


def completion(tokenizer: PreTrainedTokenizerBase, *pieces: str) -> Completion:
    """A completion whose pieces are tokenized apart; what is watched at place k is (-k, -2k)."""
    ids = [i for piece in pieces for i in tokenizer.encode(piece, add_special_tokens=False)]
    candidates = verdict_candidates(tokenizer)
    watched = {k: (-float(k), -2.0 * k) for k, drawn in enumerate(ids) if drawn in candidates}
    return Completion(ids, tokenizer.decode(ids), watched, truncated=False)


@pytest.mark.parametrize(
    ("kind", "pieces", "before"),
    [
        (Kind.GORM, [f" Hm.\n</think>\n{GORM}", " Yes"], 1),
        (Kind.GORM, [f" Hm — ß.\n</think>\n{GORM}", " No", "\nBye, No"], 1),
        (Kind.GORM, [f" {GORM} Yes\n</think>\n{GORM} No or\n{GORM}", " Yes", " No"], 1),
        (Kind.GORM, [f" Hm.\n</think>\n{GORM}\n", " Yes", "."], 1),
        (Kind.GPRM, [f"\nStep 1: …\n</think>\n{GPRM}", " No"], 1),
        (Kind.GORM, [f" Hm.\n</think>\n**{GORM.upper()}**", " Yes", "**"], 1),
        # Other tokens than ` Yes` and ` No` say which verdict counts, and have no probability of these.
        (Kind.GORM, [f" Hm.\n</think>\n{GORM}", " Yes", f"\n{GORM} yes"], None),
        (Kind.GORM, [f" Hm.\n</think>\n{GORM}", " Yes", f"\n{GORM} **No**"], None),
        (Kind.GPRM, ["\n</think>\nStep 1: The step is \\boxed{correct}"], None),
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
    found = verdict_place(kind, tokenizer, completion(tokenizer, *pieces))
    if before is None:
        assert found is None
    else:
        assert found == len(completion(tokenizer, *pieces[:before]).ids)


def test_yes_probability() -> None:
    assert yes_probability((math.log(0.1), math.log(0.3))) == pytest.approx(0.75)
    assert yes_probability((-1.0, -1000.0)) == 0
    assert yes_probability((-1000.0, -1.0)) == 1


@pytest.mark.parametrize(
    ("pieces", "truncated", "reason"),
    [
        ([f" Hm.\n</think>\n{GORM}", " Yes"], False, None),
        ([f" Hm.\n</think>\n{GORM}", " Yes"], True, None),
        ([" Hm"], True, "length"),
        ([" Hm"], False, "format"),
        ([f" Hm.\n</think>\n{GORM}", " ", "Yes"], False, "format"),
        ([""], False, "format"),
        ([""], True, "context"),
    ],
)
def test_a_critique_without_a_verdict_has_a_reason_in_place_of_a_reward(
    tokenizer: PreTrainedTokenizerBase, pieces: list[str], truncated: bool, reason: str | None
) -> None:
    written = dataclasses.replace(completion(tokenizer, *pieces), truncated=truncated)
    scored = CritiqueFormat(Kind.GORM, tokenizer, TEMPLATE).read(written)
    assert scored.reason == reason
    assert (scored.reward is None) == (reason is not None)
    assert (scored.critique, scored.truncated) == (written.text, truncated)
    assert scored.n_tokens_generated == len(written.ids)


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> GenerativeModel:
    return load_generative(Kind.GPRM, tiny_model, OPTIONS, samples=3)


class Certain:
    """Says the same of everything: the first sample a verdict, the second none."""

    reproducible = True

    def __init__(self, *completions: Completion) -> None:
        self.completions, self.requests = list(completions), list[Request]()

    def generate(self, request: Request) -> Iterator[list[Completed]]:
        self.requests.append(request)
        for prompt in reversed(request.left):
            yield [Completed(prompt, self.completions, TokenCounts(None, None, None))]


def test_the_example_of_the_docs_runs(tiny_model: Path) -> None:
    lines = str(generative.__doc__).splitlines()
    example = "\n".join(line.strip() for line in lines if line.startswith("    "))
    names = {**vars(generative), "Solution": Solution, "EngineName": EngineName}
    exec(example.replace("results/models/gORM-mini/adapter", str(tiny_model)), names)
    found, critiques = names["found"], names["critiques"]
    assert isinstance(found, Rewards)
    assert found.rewards == tuple(critique.reward for critique in critiques)
    assert len(critiques) == 2


def test_rewards_are_of_critiques_and_probabilities_of_yes(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    said = completion(tokenizer, f" Hm.\n</think>\n{GORM}", " Yes")
    engine = Certain(said, Completion([5, 6], "Hm", {}, truncated=True))
    asked = CritiqueFormat(Kind.GORM, tokenizer, TEMPLATE)
    flops = DecoderFlops(weights=1000, attention=10, output=77)
    model = GenerativeModel(engine, asked, OPTIONS, 2, flops)
    assert (model.unit, model.scale) == (Unit.CRITIQUE, Scale.PROBABILITY)
    yes = yes_probability(said.watched[len(said.ids) - 1])
    lengths = [len(said.ids), 2]
    for found, prompt in zip(model.score(SOLUTIONS), asked.prompts(SOLUTIONS), strict=True):
        # Each token of the prompt once, and then those of each critique after the prompt.
        n_read = len(prompt.ids)
        places = [*range(n_read), *(n_read + k for n in lengths for k in range(n))]
        cost = sum(2 * 1000 + 4 * 10 * (place + 1) for place in places) + sum(lengths) * 2 * 77
        assert found == Rewards((yes, None), n_read, sum(lengths), cost, truncated=True)
    (request,) = engine.requests
    assert (request.sampling.n, request.watch) == (2, verdict_candidates(tokenizer))
    assert [prompt.key for prompt in request.prompts] == [("gORM", "d", k) for k in range(5)]


def test_a_prompt_over_the_context_costs_nothing(tokenizer: PreTrainedTokenizerBase) -> None:
    engine = Certain(*[Completion([], "", {}, truncated=True)] * 2)
    asked = CritiqueFormat(Kind.GORM, tokenizer, TEMPLATE)
    for flops, cost in ((None, None), (DecoderFlops(1000, 10, 77), 0)):
        [found] = GenerativeModel(engine, asked, OPTIONS, 2, flops).score(SOLUTIONS[:1])
        assert found == Rewards((None, None), 0, 0, cost, truncated=True)


def test_costs_are_those_of_the_model_s_configuration(model: GenerativeModel) -> None:
    [found], [critiques] = model.score(SOLUTIONS[:1]), model.criticise(SOLUTIONS[:1])
    assert found.n_tokens_generated == sum(one.n_tokens_generated for one in critiques) > 3
    assert model.flops is not None
    assert found.flops == model.flops.reading(found.n_tokens_read) + sum(
        model.flops.generating(one.n_tokens_generated, found.n_tokens_read) for one in critiques
    )


def test_order_and_company_change_nothing(model: GenerativeModel) -> None:
    together = model.criticise(SOLUTIONS)
    assert len({one.critique for of in together for one in of}) > 10
    assert model.criticise(SOLUTIONS[::-1]) == together[::-1]
    assert [model.criticise([solution])[0] for solution in SOLUTIONS] == together


def test_the_first_steps_are_criticised_by_themselves(model: GenerativeModel) -> None:
    whole = Solution("Which?", ("One.", "Two."), key=("a",))
    prefix = dataclasses.replace(whole, steps=("One.",))
    short, long = (model.asked.prompts([solution])[0].ids for solution in (prefix, whole))
    assert len(short) < len(long)
    assert (
        model.score([prefix]) == model.score([prefix, dataclasses.replace(whole, key=("b",))])[:1]
    )


def test_what_is_done_is_left_out_and_the_rest_is_the_same(model: GenerativeModel) -> None:
    everything = model.score(SOLUTIONS)
    (rest,) = model.score_in_batches(SOLUTIONS, {0, 3})
    assert rest == {position: everything[position] for position in (1, 2, 4)}


def test_solutions_that_nothing_tells_apart_are_refused(model: GenerativeModel) -> None:
    with pytest.raises(InputError, match="expected a key for each of them"):
        model.score([Solution("Which?", ("One.",)), Solution("Which?", ("Two.",))])
    assert model.score([]) == []


def test_a_model_that_cannot_judge_is_refused_before_it_is_loaded(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="prompt template"):
        load_generative(Kind.GORM, tmp_path, OPTIONS, template=tmp_path / "none.txt")
    with pytest.raises(InputError, match="expected weights"):
        load_generative(Kind.GORM, tmp_path, OPTIONS)


def test_a_model_that_cannot_be_built_here_has_unknown_operations(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: object) -> DecoderFlops:
        raise ValueError("no such\nlayer")

    monkeypatch.setattr(generative, "configuration", lambda _: None)
    monkeypatch.setattr(generative, "settings_folder", lambda _: None)
    monkeypatch.setattr(DecoderFlops, "of", refuse)
    assert generative.flops_of("owner/model") is None
    assert "owner/model: operations are unknown: no such\\nlayer" in caplog.text
