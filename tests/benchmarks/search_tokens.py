"""Tokens and CPU seconds of a search that reads everything anew, and of one that reads what is new: run by hand.

    OMP_NUM_THREADS=1 .venv/bin/python tests/benchmarks/search_tokens.py [QUESTIONS] [CANDIDATES] [STEPS]

A beam search over random models: each level has CANDIDATES candidates per question (16), of which the square root goes
on, for STEPS levels (8). Questions have about 150 tokens and steps about 60. Rewards and drawn tokens are the same
either way, which is checked.

For the reward model, everything is read anew in two ways: one candidate after the other, as other systems do, and level
by level, where a pack computes once what the candidates of a level have in common; counts leave that out. For the
policy, that is what the engine does with requests that are not marked as continued.
"""

import random
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

from multirm.engines.base import Completed, Key, Prompt, Request, Sampling
from multirm.engines.transformers import TransformersEngine
from multirm.reward_models.base import Solution
from multirm.reward_models.cached_reader import CachedReader
from multirm.reward_models.discriminative import multi_rm
from multirm.reward_models.step_readers import RereadingReader, StepReader, StepRewards
from tests.conftest import byte_level_tokenizer

WORDS = ["so", "the", "sum", "of", "12", "30", "is", "then", "we", "have", "=", "+", "42", "not"]
N_QUESTION, N_STEP = 150, 60
STOPS = tuple("etaoinshr")
"""Ends of a policy's steps, after about as many random tokens."""


def random_model(tokenizer: PreTrainedTokenizerFast, *, ends: bool = False) -> LlamaForCausalLM:
    """A random decoder of four layers, which writes on for ever or ends now and then."""
    set_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=256,
            intermediate_size=768,
            num_hidden_layers=4,
            num_attention_heads=8,
            num_key_value_heads=4,
            max_position_embeddings=4096,
            eos_token_id=tokenizer.eos_token_id if ends else None,
        )
    ).eval()


def read_all(
    reader: StepReader, levels: Sequence[Sequence[Solution]]
) -> tuple[list[StepRewards], float]:
    started = time.process_time()
    read = [each for level in levels for each in reader.read(level)]
    return read, time.process_time() - started


def grown(n_questions: int, n_candidates: int, n_steps: int) -> list[list[Solution]]:
    """The candidates of each level."""
    drawn, n_kept = random.Random(0), round(n_candidates**0.5)
    text = lambda n: " ".join(drawn.choices(WORDS, k=n))  # noqa: E731
    kept = {n: [Solution(f"{n} {text(N_QUESTION)}", ())] * n_kept for n in range(n_questions)}
    levels = []
    for _ in range(n_steps):
        level: list[Solution] = []
        for n, parents in kept.items():
            of_question = [
                replace(parent, steps=(*parent.steps, text(N_STEP)))
                for parent in parents
                for _ in range(n_candidates // n_kept)
            ]
            kept[n] = drawn.sample(of_question, n_kept)
            level += of_question
        levels.append(level)
    return levels


def draw_all(
    engine: TransformersEngine, prompts: list[Prompt], n_candidates: int, n_steps: int, again: bool
) -> tuple[list[Completed], float]:
    """Levels of a search in which the first candidates that ended a step go on."""
    n_kept = round(n_candidates**0.5)
    started, found = time.process_time(), list[Completed]()
    owners: dict[Key, Key] = {prompt.key: prompt.key for prompt in prompts}
    n_samples = n_candidates
    for _ in range(n_steps):
        request = Request(
            prompts, Sampling(n_samples, 4 * N_STEP, 1.0), 0, stop=STOPS, is_continued=not again
        )
        level = [one for some in engine.generate(request) for one in some]
        found += level
        prompts, kept = [], dict[Key, int]()
        for each in sorted(level, key=lambda one: one.prompt.key):
            owner = owners[each.prompt.key]
            for number, one in enumerate(each.completions):
                if one.stop and kept.get(owner, 0) < n_kept:
                    kept[owner] = kept.get(owner, 0) + 1
                    key = (*each.prompt.key, number)
                    owners[key] = owner
                    prompts.append(Prompt(key, [*each.prompt.ids, *one.ids]))
        n_samples = n_candidates // n_kept
    return found, time.process_time() - started


def say(who: str, again: int, computed: int, new: int) -> None:
    print(
        f"{who}: {again:,} tokens re-read ({again / new:.1f} × new), {computed:,} computed"
        f" ({computed / new:.3f} × new), {new:,} new",
        flush=True,
    )


def main(questions: str = "4", candidates: str = "16", steps: str = "8") -> None:
    n_questions, n_candidates, n_steps = int(questions), int(candidates), int(steps)
    torch.set_num_threads(1)
    tokenizer = byte_level_tokenizer([" ".join(WORDS)])
    levels = grown(n_questions, n_candidates, n_steps)
    model = multi_rm(random_model(tokenizer), tokenizer)
    one_by_one = [[each] for level in levels for each in level]
    _, slowest = read_all(RereadingReader(model), one_by_one)
    reread, slow = read_all(RereadingReader(model), levels)
    read, fast = read_all(CachedReader(model), levels)
    gap = max(
        abs((a or 0) - (b or 0))
        for one, other in zip(reread, read, strict=True)
        for a, b in zip(one.rewards, other.rewards, strict=True)
    )
    assert gap < 1e-5, gap
    counts = [sum(each.n_computed for each in way) for way in (reread, read)]
    say("reward model", *counts, sum(each.n_new for each in read))
    print(
        f"reward model: {slowest:.1f} s one by one, {slow:.1f} s level by level, {fast:.1f} s what is new"
        f" ({slowest / fast:.1f} × and {slow / fast:.1f} × faster)"
    )

    drawn = random.Random(0)
    prompts = [
        Prompt((n,), [drawn.randrange(4, len(tokenizer)) for _ in range(N_QUESTION)])
        for n in range(n_questions)
    ]
    ways = [
        draw_all(
            TransformersEngine(random_model(tokenizer), tokenizer),
            prompts,
            n_candidates,
            n_steps,
            again,
        )
        for again in (True, False)
    ]
    (plain, slow), (cached, fast) = ways
    ids = [
        sorted((one.prompt.key, [c.ids for c in one.completions]) for one in way) for way, _ in ways
    ]
    assert ids[0] == ids[1]
    # A prompt's last token was drawn and not read; all of a question's tokens are new.
    new = n_questions * N_QUESTION + len({tuple(one.prompt.ids) for one in cached}) - n_questions
    computed = [sum(one.tokens.computed or 0 for one in way) for way in (plain, cached)]
    say("policy, prefill", *computed, new)
    n_generated = sum(one.tokens.generated or 0 for one in cached)
    print(
        f"policy: {n_generated:,} tokens generated in both ways; {slow:.1f} s, {fast:.1f} s what is new"
        f" ({slow / fast:.1f} × faster)"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
