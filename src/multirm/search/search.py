"""Entry point `search`: a policy and a reward model together find answers to questions.

All questions are searched side by side: in each round the policy draws steps for all of them, then the reward model
reads all new steps.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from multirm.engines.base import Key
from multirm.errors import InputError
from multirm.generation.chat_jobs import ChatJob, ChatModel
from multirm.generation.prompts import conversation_prompt
from multirm.generation.solving_options import DEFAULT_SOLVING, Solving, SolvingOptions
from multirm.models.learned_from import count_learned
from multirm.reward_models.generative import flops_of
from multirm.reward_models.step_readers import StepReader
from multirm.running.arguments import OutputFile, Place, entry
from multirm.search.judge import Judge, Question
from multirm.search.methods import plan_of
from multirm.search.options import PolicyOptions, SearchOptions
from multirm.search.policy import Policy
from multirm.search.reading import DEFAULT_READING, ReadingOptions
from multirm.search.rounds import Search, search_all
from multirm.search.rows import node_rows, search_row
from multirm.search.tree import Limits, SearchTree
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS
from multirm.tables.search_nodes import SEARCH_NODES
from multirm.tables.searches import SEARCHES
from multirm.text.solving import Asked

logger = logging.getLogger(__name__)

_TOLERANCE = 0.05
"""The share of a search's policy tokens that it may miss without a warning."""

Row = Mapping[str, Any]


@entry
def search(
    questions: Path,
    policy: Place,
    reward_model: Place,
    name: str,
    output: OutputFile,
    output_nodes: OutputFile,
    options: PolicyOptions,
    search: SearchOptions,
    reading: ReadingOptions = DEFAULT_READING,
    solving: SolvingOptions = DEFAULT_SOLVING,
) -> None:
    """Search for answers to questions: a policy writes steps, and a reward model decides which of them go on.

    A killed job resumes where it stopped.

    Args:
        questions: questions table.
        policy: model folder or hub name.
        reward_model: model folder or hub name.
        name: name of the search for the rows.
        output: searches table: for each question what was chosen, and what it cost.
        output_nodes: table of all nodes of the search trees.
        options: sampling options of the policy.
        search: the method.
        reading: how the reward model reads.
        solving: exemplars and templates.

    Raises:
        InputError: the engine takes no token ids, the policy has no usable chat template, a category lacks exemplars,
            or a model cannot be loaded.
    """
    search.check()
    _require_ids(options)
    rows = parquet.read(questions, QUESTIONS).to_pylist()
    shown = solving.load()
    model = ChatModel.load(policy, options)
    weights, files = reading.sources(reward_model)
    parameters = {
        "search": name,
        "shots": solving.shots,
        "reward_model": weights,
        "learned_questions": count_learned(name, reward_model, (row["question"] for row in rows)),
        **search.parameters,
        **reading.parameters,
    }
    inputs = [questions, *solving.files, *files]
    with model.job(output, __name__, "policy", parameters, inputs) as job:
        reader = reading.load(reward_model, options)
        search = search.suited_to(reader.unit)
        searches = _search(rows, model, job, shown, reader, search)
        trees = [each.tree for each in searches]
        nodes = [node_rows(name, *each, search) for each in zip(rows, trees, strict=True)]
        found = [
            search_row(name, row, each.tree, own, each.cost, search, reader.scale)
            for row, each, own in zip(rows, searches, nodes, strict=True)
        ]
        every = [row for own in nodes for row in own]
        tables = [(output, SEARCHES, found), (output_nodes, SEARCH_NODES, every)]
        used = {"pruning": str(search.pruning), "final": str(search.final)}
        job.write(tables, scale=str(reader.scale), **used)
    _report(found, search.policy_tokens)


def _search(
    rows: Sequence[Row],
    model: ChatModel,
    job: ChatJob,
    shown: Solving,
    reader: StepReader,
    options: SearchOptions,
) -> list[Search]:
    """The finished searches of all questions, in their order."""
    keys = [_key(row) for row in rows]
    prompts = {
        key: conversation_prompt(model.tokenizer, key, shown.turns(row)).ids
        for key, row in zip(keys, rows, strict=True)
    }
    asked = {
        key: Question(Asked.of(row).text, row["category"])
        for key, row in zip(keys, rows, strict=True)
    }
    policy = Policy(
        job.engine,
        model.tokenizer,
        model.options,
        options.step_end.stop,
        options.max_step_tokens,
        prompts,
        flops_of(model.name),
        job.journal,
    )
    judge = Judge(reader, asked, job.journal)
    limits = Limits(options.max_steps, model.options.max_tokens)
    begin = partial(plan_of, options, reader.scale, model.options.seed)
    searches = [Search(SearchTree(key, limits), begin, options.policy_tokens) for key in keys]
    search_all(searches, policy, judge)
    return searches


def _key(row: Row) -> Key:
    return tuple(row[column] for column in QUESTIONS.key)


def _require_ids(options: PolicyOptions) -> None:
    if options.engine.is_remote:
        raise InputError(
            "--engine",
            expected="transformers or vllm, which go on from the tokens of a step",
            found=options.engine,
            remedy="servers and batch services take conversations only",
        )


def _report(rows: Sequence[Row], policy_tokens: int | None) -> None:
    totals = Counter[str]()
    for row in rows:
        totals.update({name: row[name] for name in row if name.startswith("n_")})
        totals.update({name: row[name] for name in ("policy_generated", "reward_computed")})
    logger.info(
        "%d questions: %d finished solutions, %d overran, %d looped, %d without a reward, %d steps dropped",
        len(rows), totals["n_finished"], totals["n_overrun"], totals["n_looped"], totals["n_unscored"],
        totals["n_dropped"],
    )  # fmt: skip
    unanswered = sum(row["best_answer"] is None for row in rows)
    if unanswered:
        logger.warning("%d questions have no finished solution with an answer", unanswered)
    if policy_tokens is not None:
        missed = [abs(row["policy_generated"] / policy_tokens - 1) > _TOLERANCE for row in rows]
        if any(missed):
            logger.warning(
                "%d of %d searches drew over 5 %% more or fewer tokens than the %d of --policy-tokens",
                sum(missed), len(rows), policy_tokens,
            )  # fmt: skip
    logger.info(
        "%d policy tokens generated, %d reward model tokens computed",
        totals["policy_generated"], totals["reward_computed"],
    )  # fmt: skip
