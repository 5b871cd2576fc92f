"""The policy of a search: it draws the steps of all questions' expansions together."""

import base64
import json
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Completed, Completion, Engine, Key, Prompt
from multirm.engines.stops import completion_of
from multirm.generation.options import GenerationOptions
from multirm.models.flops import DecoderFlops
from multirm.running.journal import Journal
from multirm.search.costs import Cost, shared
from multirm.search.plan import Expansion
from multirm.search.steps import begin_step, continued, is_complete, steps_of_whole
from multirm.search.tree import SearchTree, Step

Asked = tuple[SearchTree, Expansion]

_MOST_BLANK = 8
"""Blank lines that may be drawn before a step, each of which costs a request of its own."""


@dataclass(frozen=True)
class Drawn:
    """What an expansion gave: the steps of each sample, one unless it is a whole solution, and their cost."""

    samples: list[list[Step]]
    cost: Cost


@dataclass(frozen=True)
class _Answer:
    completions: list[Completion]
    cost: Cost


class Policy:
    """Draws steps, and journals them as they come.

    A sample depends on the seed, its question, the node that it follows and how many samples were drawn after that node
    before; so a tree does not depend on other questions.

    Args:
        engine: continues prompts of token ids.
        tokenizer: the model's.
        options: sampling options; `max_tokens` limits whole solutions.
        stop: the stop string that ends a step.
        step_tokens: the largest number of tokens of a step.
        prompts: the token ids that the solutions to a question follow, by its key.
        flops: of the model, None if unknown.
        journal: what was drawn before the job was interrupted; more is added.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizer: PreTrainedTokenizerBase,
        options: GenerationOptions,
        stop: str,
        step_tokens: int,
        prompts: Mapping[Key, list[int]],
        flops: DecoderFlops | None,
        journal: Journal,
    ) -> None:
        self._engine, self._tokenizer, self._options = engine, tokenizer, options
        self._stops, self._prompts, self._flops = (stop,), prompts, flops
        self._step_tokens = min(step_tokens, options.max_tokens)
        self._journal = journal

    def draw(self, asked: Sequence[Asked]) -> list[Drawn]:
        """Draw what is asked for, in its order."""
        found: dict[int, Drawn] = {}
        for whole in (False, True):
            places = [place for place, (_, each) in enumerate(asked) if each.whole is whole]
            draw = self._draw_whole if whole else self._draw_steps
            found |= zip(places, draw([asked[place] for place in places]), strict=True)
        return [found[place] for place in range(len(asked))]

    def _draw_whole(self, asked: Sequence[Asked]) -> list[Drawn]:
        answers = self._ask(self._prompted(asked), [each.n for _, each in asked])
        found = []
        for (tree, expansion), answer in zip(asked, answers, strict=True):
            rest = tree.nodes[expansion.node].step.rest
            samples = [
                steps_of_whole(self._tokenizer, rest, one, self._stops)
                for one in answer.completions
            ]
            found.append(Drawn(samples, answer.cost))
        return found

    def _draw_steps(self, asked: Sequence[Asked]) -> list[Drawn]:
        prompts, limits = self._prompted(asked), [self._limit(*each) for each in asked]
        answers = self._ask(prompts, [each.n for _, each in asked], stops=self._stops)
        steps: dict[tuple[int, int], Step] = {}
        costs = [answer.cost for answer in answers]
        for place, ((tree, expansion), answer) in enumerate(zip(asked, answers, strict=True)):
            begun = begin_step(tree.nodes[expansion.node].step.rest)
            for number, one in enumerate(answer.completions):
                steps[place, number] = continued(begun, one, limits[place])
        n_again = 0
        while again := [each for each, step in steps.items() if not is_complete(step)]:
            n_again += 1
            prompts_again = [
                Prompt(
                    (*prompts[place].key, number, n_again),
                    [*prompts[place].ids, *steps[place, number].ids],
                    max_tokens=limits[place] - len(steps[place, number].ids),
                )
                for place, number in again
            ]
            answers = self._ask(prompts_again, [1] * len(again), stops=self._stops)
            for each, answer in zip(again, answers, strict=True):
                [one] = answer.completions
                limit = limits[each[0]] if n_again < _MOST_BLANK else 0
                steps[each] = continued(steps[each], one, limit)
                costs[each[0]] += answer.cost
        return [
            Drawn([[steps[place, number]] for number in range(expansion.n)], costs[place])
            for place, (_, expansion) in enumerate(asked)
        ]

    def _prompted(self, asked: Sequence[Asked]) -> list[Prompt]:
        """The prompts of expansions, in their order. A whole solution has a key of its own."""
        prompts, n_asked = [], Counter[tuple[Key, int]]()
        for tree, expansion in asked:
            node, kind = expansion.node, "solution" if expansion.whole else "step"
            # A node may be asked for several times in a round.
            n_before = tree.nodes[node].n_asked + n_asked[tree.key, node]
            n_asked[tree.key, node] += expansion.n
            key = ("search", *tree.key, kind, node, n_before)
            ids = [*self._prompts[tree.key], *tree.ids(node)]
            prompts.append(Prompt(key, ids, max_tokens=self._limit(tree, expansion)))
        return prompts

    def _limit(self, tree: SearchTree, expansion: Expansion) -> int:
        """The largest number of tokens of a sample: no more than the solution may still have."""
        left = self._options.max_tokens - tree.nodes[expansion.node].n_ids
        return left if expansion.whole else min(self._step_tokens, left)

    def _ask(
        self, prompts: Sequence[Prompt], counts: Sequence[int], stops: tuple[str, ...] = ()
    ) -> list[_Answer]:
        """Completions of each prompt, as many as its count; those in the journal are not drawn again."""
        limit = self._step_tokens if stops else self._options.max_tokens
        options = replace(self._options, max_tokens=limit)
        # A request has one number of samples, so there is one for each number.
        for n in sorted(set(counts)):
            group = [each for each, count in zip(prompts, counts, strict=True) if count == n]
            done = {each.key for each in group if _name(each) in self._journal.items}
            request = options.request(group, n, stop=stops)
            request = replace(request, done=done, is_continued=True)
            if len(done) < len(group):
                self._journal_all(self._engine.generate(request))
        return [self._read(self._journal.items[_name(each)], stops) for each in prompts]

    def _journal_all(self, completed: Iterable[list[Completed]]) -> None:
        before = time.monotonic()
        for some in completed:
            now = time.monotonic()
            tokens = [_n_drawn(each) + (each.tokens.computed or 0) for each in some]
            if some:
                seconds = shared(now - before, tokens)
                items = [self._item(*each) for each in zip(some, seconds, strict=True)]
                named = zip([_name(each.prompt) for each in some], items, strict=True)
                self._journal.add(dict(named))
            before = now

    def _item(self, completed: Completed, seconds: float) -> dict[str, Any]:
        """What the journal keeps of a prompt's completions: their ids tell everything else."""
        counts, n_prompt = completed.tokens, len(completed.prompt.ids)
        flops = None
        if self._flops is not None and counts.computed is not None:
            flops = self._flops.reading(counts.computed, counts.cached or 0)
            flops += sum(
                self._flops.generating(one.n_drawn, n_prompt) for one in completed.completions
            )
        return {
            "ids": [_packed(one.ids) for one in completed.completions],
            "truncated": [one.truncated for one in completed.completions],
            "computed": counts.computed,
            "cached": counts.cached,
            "flops": flops,
            "seconds": seconds,
        }

    def _read(self, item: Mapping[str, Any], stops: Sequence[str]) -> _Answer:
        completions = [
            completion_of(self._tokenizer, _unpacked(ids), stops, {}, truncated)
            for ids, truncated in zip(item["ids"], item["truncated"], strict=True)
        ]
        cost = Cost(
            policy_generated=sum(one.n_drawn for one in completions),
            policy_computed=item["computed"],
            policy_cached=item["cached"],
            policy_flops=item["flops"],
            seconds=item["seconds"],
        )
        return _Answer(completions, cost)


def _name(prompt: Prompt) -> str:
    return json.dumps(prompt.key)


def _n_drawn(completed: Completed) -> int:
    return sum(one.n_drawn for one in completed.completions)


def _packed(ids: Sequence[int]) -> str:
    """Ids as text: the journal is in memory, and a list of numbers would take ten times as much."""
    return base64.b64encode(array("i", ids).tobytes()).decode("ascii")


def _unpacked(text: str) -> list[int]:
    return array("i", base64.b64decode(text)).tolist()
