"""Seconds of process beam search and of best-of-N with as many policy tokens, and how both grow: run by hand.

    OMP_NUM_THREADS=1 .venv/bin/python tests/benchmarks/search.py [CANDIDATES …]

Random models of 4 layers; solutions of about 300 tokens in steps of about 60, four questions of 150 tokens. For each
number of candidates (16, 64, 256), best-of-N draws that many solutions per question, and beam search then draws as many
tokens. Computed reward model tokens should be at most 1.05 × the new ones, and beam search take at most twice as long.
"""

import random
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast

from multirm.engines.base import Key
from multirm.engines.name import EngineName
from multirm.engines.transformers import TransformersEngine
from multirm.reward_models.cached_reader import CachedReader
from multirm.reward_models.discriminative import multi_rm
from multirm.running.journal import open_journal
from multirm.search.costs import Cost
from multirm.search.judge import Judge, Question
from multirm.search.methods import plan_of
from multirm.search.options import PolicyOptions, SearchOptions
from multirm.search.policy import Policy
from multirm.search.rounds import Search, search_all
from multirm.search.tree import Limits, SearchTree
from multirm.tables.searches import SearchMethod
from tests.benchmarks.search_tokens import N_QUESTION, WORDS, random_model
from tests.conftest import byte_level_tokenizer
from tests.origins import made_of

N_QUESTIONS = 4
STOP = "e"
OPTIONS = PolicyOptions(engine=EngineName.TRANSFORMERS, max_tokens=1024, temperature=1.0)


def searched(tokenizer: PreTrainedTokenizerFast, options: SearchOptions) -> tuple[Cost, int, float]:
    """The cost of all questions, the number of finished solutions, and the seconds."""
    drawn = random.Random(0)
    keys: list[Key] = [(f"q{n}",) for n in range(N_QUESTIONS)]
    texts = [" ".join(drawn.choices(WORDS, k=N_QUESTION)) for _ in keys]
    prompts = {key: tokenizer.encode(text) for key, text in zip(keys, texts, strict=True)}
    questions = {key: Question(text, "law") for key, text in zip(keys, texts, strict=True)}
    engine = TransformersEngine(random_model(tokenizer, ends=True), tokenizer)
    reader = CachedReader(multi_rm(random_model(tokenizer, ends=True), tokenizer))
    with (
        tempfile.TemporaryDirectory() as folder,
        open_journal(Path(folder) / "out.parquet", made_of()) as journal,
    ):
        policy = Policy(engine, tokenizer, OPTIONS, STOP, 256, prompts, None, journal)
        judge = Judge(reader, questions, journal)
        begin = partial(plan_of, options, reader.scale, 0)
        searches = [
            Search(SearchTree(key, Limits(40, 1024)), begin, options.policy_tokens) for key in keys
        ]
        started = time.perf_counter()
        search_all(searches, policy, judge)
        seconds = time.perf_counter() - started
    total = sum((each.cost for each in searches), Cost())
    return total, sum(len(each.tree.finished) for each in searches), seconds


def main(*candidates: str) -> None:
    torch.set_num_threads(1)
    tokenizer = byte_level_tokenizer([" ".join(WORDS)])
    for n in map(int, candidates or ("16", "64", "256")):
        best = SearchOptions(method=SearchMethod.BEST_OF_N, candidates=n)
        cost, n_finished, seconds = searched(tokenizer, best)
        tokens = cost.policy_generated // N_QUESTIONS
        beams = SearchOptions(method=SearchMethod.BEAM_SEARCH, candidates=n, policy_tokens=tokens)
        rows = [("best-of-N", cost, n_finished, seconds), ("beams", *searched(tokenizer, beams))]
        for name, each, finished, took in rows:
            print(
                f"{n:4} {name:>9}: {took:6.1f} s ({took / seconds:.2f} ×), {finished} finished,"
                f" policy tokens {each.policy_generated:,} ({each.policy_computed:,} prefilled),"
                f" reward model {each.reward_computed:,} computed"
                f" ({each.reward_computed / each.reward_new:.3f} × new)",
                flush=True,
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
