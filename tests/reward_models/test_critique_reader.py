"""Reading growing solutions with generative reward models."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from multirm.engines.base import Completed, Completion, Request, TokenCounts
from multirm.engines.name import EngineName
from multirm.generation.options import GenerationOptions
from multirm.models.flops import DecoderFlops
from multirm.models.load import load_tokenizer
from multirm.reward_models.base import Solution
from multirm.reward_models.critique_reader import CritiqueReader
from multirm.reward_models.formats import format_file
from multirm.reward_models.generative import CritiqueFormat, GenerativeModel, yes_probability
from multirm.reward_models.load_step_reader import load_critique_reader
from multirm.reward_models.step_verdicts import StepCritiqueFormat, StepwiseModel
from multirm.tables.reward_models import FormatName, Kind
from multirm.text.encoding import verdict_candidates
from multirm.text.prompts import VERDICT_MARKS, load_template, own_template

OPTIONS = GenerationOptions(engine=EngineName.TRANSFORMERS, max_tokens=8, temperature=1.0)
WHOLE = Solution("What is 2 + 3?", ("2 + 3 = 5.", "So it is 5.", "The answer is 5."), "math")
ENDS = {
    Kind.GORM: f" Hm.\n</think>\n{VERDICT_MARKS[Kind.GORM]} Yes",
    "r_prm": "Good.\nVerification: Is the step correct (Yes/No)? Yes",
}


def prefixes(solution: Solution) -> list[Solution]:
    counts = range(1, len(solution.steps) + 1)
    return [replace(solution, steps=solution.steps[:count]) for count in counts]


class Scripted:
    """Says two verdicts and something else of everything, but of prompts after the first `n_fitting` nothing."""

    reproducible = True

    def __init__(self, folder: Path, text: str, n_fitting: int = 10) -> None:
        tokenizer = load_tokenizer(str(folder))
        ids = tokenizer.encode(text, add_special_tokens=False)
        seen = (ids.index(verdict_candidates(tokenizer)[1]), (-2.0, -0.5))
        yes = Completion(ids, tokenizer.decode(ids), dict([seen]), truncated=False)
        less = replace(yes, watched={seen[0]: (-0.5, -2.0)})
        self.completions = [yes, less, Completion([5, 6], "Hm", {}, truncated=False)]
        self.rewards = [yes_probability(one.watched[seen[0]]) for one in (yes, less)]
        self.requests, self._n_fitting = list[Request](), n_fitting

    def generate(self, request: Request) -> Iterator[list[Completed]]:
        self.requests.append(request)
        for prompt in request.left[::-1]:
            if len(self.requests) > self._n_fitting:
                yield [Completed.without_room(prompt, request.sampling)]
            else:
                yield [Completed(prompt, self.completions, TokenCounts(None, None, None))]


def gorm(folder: Path, engine: Scripted, flops: DecoderFlops | None = None) -> GenerativeModel:
    template = load_template(own_template(Kind.GORM), Kind.GORM)
    asked = CritiqueFormat(Kind.GORM, load_tokenizer(str(folder)), template)
    return GenerativeModel(engine, asked, OPTIONS, 3, flops)


def test_prompts_are_computed_from_where_they_differ(tiny_model: Path) -> None:
    reader = load_critique_reader(Kind.GPRM, tiny_model, OPTIONS, samples=2)
    other = replace(WHOLE, steps=("2 + 3 = 6.", *WHOLE.steps[1:]))
    levels = [*zip(prefixes(WHOLE), prefixes(other), strict=True)]
    read = [each for level in levels for each in reader.read(level)]
    assert [each.n_computed + each.n_generated for each in read] == [each.n_new for each in read]
    assert sum(each.n_cached for each in read) > sum(each.n_computed for each in read)
    whole = load_critique_reader(Kind.GPRM, tiny_model, OPTIONS, samples=2)
    [alone] = whole.read([WHOLE])
    assert alone.rewards == read[-2].rewards
    assert alone.n_computed == read[-2].n_computed + read[-2].n_cached
    assert 0 < read[-2].flops < alone.flops


def test_a_step_has_the_mean_of_its_critiques_whatever_its_key(tiny_model: Path) -> None:
    engine = Scripted(tiny_model, ENDS[Kind.GORM])
    reader = CritiqueReader(gorm(tiny_model, engine, DecoderFlops(1000, 10, 77)))
    one, two, empty = reader.read([WHOLE, replace(WHOLE, key=(2,)), replace(WHOLE, steps=())])
    assert one.rewards == two.rewards == (None, None, pytest.approx(sum(engine.rewards) / 2))
    assert empty.rewards == ()
    n_prompt = len(engine.requests[0].prompts[0].ids)
    n_generated = sum(len(each.ids) for each in engine.completions)
    assert one[1:5] == (n_prompt + n_generated, n_prompt, 0, n_generated)
    assert [one.flops] == [
        each.flops for each in gorm(tiny_model, engine, DecoderFlops(1000, 10, 77)).score([WHOLE])
    ]
    assert (two[1:5], two.flops) == ((0, 0, 0, 0), 0.0)
    assert len(engine.requests[0].prompts) == 1
    [again] = reader.read([WHOLE])
    assert (again.rewards, again.n_computed) == (one.rewards, 0)


def test_what_an_earlier_run_has_read_is_not_new(tiny_model: Path) -> None:
    whole, resumed = (
        CritiqueReader(gorm(tiny_model, Scripted(tiny_model, ENDS[Kind.GORM]))) for _ in range(2)
    )
    begun = prefixes(WHOLE)
    *_, expected = [whole.read([each])[0] for each in begun]
    resumed.know(begun[:-1])
    known, found = resumed.read([begun[0], WHOLE])
    assert (known.n_new, found.n_new) == (0, expected.n_new)
    assert known.n_generated > 0


def test_what_does_not_fit_has_no_reward_and_costs_nothing(tiny_model: Path) -> None:
    engine = Scripted(tiny_model, ENDS[Kind.GORM], n_fitting=0)
    [found] = CritiqueReader(gorm(tiny_model, engine)).read([WHOLE])
    assert (found.rewards, found.truncated) == ((None, None, None), True)
    assert found[1:5] == (0, 0, 0, 0)


def test_a_model_that_judges_steps_is_asked_about_each_once(tiny_model: Path) -> None:
    engine = Scripted(tiny_model, ENDS["r_prm"])
    asked = StepCritiqueFormat(load_tokenizer(str(tiny_model)), format_file(FormatName.R_PRM))
    reader = CritiqueReader(StepwiseModel(engine, asked, OPTIONS, 3, None))
    mean = pytest.approx(sum(engine.rewards) / 2)
    for n_steps, prefix in enumerate(prefixes(WHOLE), start=1):
        [found] = reader.read([prefix])
        assert found.rewards == (mean,) * n_steps
        assert found.n_computed > 0
    assert [len(request.prompts) for request in engine.requests] == [1, 1, 1]
    prompts = [request.prompts[0].ids for request in engine.requests]
    assert prompts == [prompt.ids for prompt in asked.prompts([WHOLE])]
    reader.read([replace(WHOLE, steps=("Else.", *WHOLE.steps))])
    assert len(engine.requests[-1].prompts) == 4
