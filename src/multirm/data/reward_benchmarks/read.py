"""Entry point `read_responses`: a reward-model benchmark's files as responses, and the texts that are scored."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from multirm.data.reward_benchmarks import (
    evalbiasbench,
    helpsteer3,
    judgebench,
    llmbar,
    ppe,
    prm800k_steps,
    rewardbench,
    rewardbench_2,
    rm_bench,
    ultrafeedback,
)
from multirm.data.reward_benchmarks.prompts import Prompt, Response
from multirm.data.tally import Tally
from multirm.errors import InputError
from multirm.formats.json_source import Record, files_of, read_objects
from multirm.formats.records import files_in, read_records
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.files import local
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.responses import RESPONSES, Benchmark
from multirm.tables.rewards import REWARDS, Scale, Unit
from multirm.tables.schema import Row, Schema
from multirm.tables.solutions import SOLUTIONS
from multirm.text.labels import split_steps

logger = logging.getLogger(__name__)


@entry
def read_responses(
    benchmark: Benchmark,
    source: list[Place],
    dataset: str,
    output: OutputFile,
    output_solutions: OutputFile,
    output_rewards: OutputFile | None = None,
    model: str | None = None,
    *,
    one_step: bool = False,
) -> None:
    """Read a reward-model benchmark: which responses to a prompt are better, and the responses as solutions.

    Args:
        benchmark: Whose format the source has.
        source: Files as published (JSON, JSON Lines or Parquet), or folders of them.
        dataset: The dataset name for the rows.
        output: The table of responses to write.
        output_solutions: The table of solutions to write: the prompts and the texts of the responses, to be scored.
        output_rewards: A table of rewards to write, too, of the model whose scores the source has (JudgeBench).
        model: The name of that model; by default, the one in the source.
        one_step: Make each response one step, instead of splitting it at blank lines.

    Raises:
        InputError: the source is missing or broken, or has a prompt twice; nothing is written.
    """
    tally = Tally()
    prompts = _with_text(_once(prompts_in(benchmark, source, tally)), tally)
    tally.warn("")
    if not prompts:
        counted = "; ".join(f"{reason}: {n}" for reason, n in tally.of("").items())
        raise InputError(
            ", ".join(source), expected="prompts with responses to compare", found=counted or "none"
        )
    logger.info("%s: %d prompts of %s", benchmark, len(prompts), dataset)
    parameters = {
        "benchmark": benchmark,
        "dataset": dataset,
        "model": model,
        "one_step": one_step,
        "counted": tally.of(""),
    }
    origin = origin_of(__name__, parameters, local(source))
    rows = [row for prompt in prompts for row in _rows(prompt, dataset, benchmark, one_step)]
    solutions = [solution for solution, _ in rows]
    tables: list[tuple[Path, Schema, Sequence[Row]]] = [
        (output, RESPONSES, [response for _, response in rows]),
        (output_solutions, SOLUTIONS, solutions),
    ]
    if output_rewards is not None:
        tables.append((output_rewards, REWARDS, _rewards(prompts, solutions, model, source)))
    parquet.write_together(tables, origin)


def prompts_in(benchmark: Benchmark, source: Sequence[str], tally: Tally) -> Iterator[Prompt]:
    """The prompts of a benchmark's files, with their responses.

    Args:
        tally: counts what compares nothing.
    """
    if benchmark is Benchmark.PRM800K:
        yield from prm800k_steps.prompts(read_objects(files_of(source, "*.json*")), tally)
        return
    for file in files_in(source):
        if benchmark is Benchmark.EVALBIASBENCH:
            yield from evalbiasbench.prompts(file)
        else:
            yield from _prompts(benchmark, read_records(file), file, tally)


def _prompts(
    benchmark: Benchmark, records: Iterable[Record], file: Path, tally: Tally
) -> Iterator[Prompt]:
    """The prompts of a file that has a row for each."""
    match benchmark:
        case Benchmark.REWARDBENCH:
            return rewardbench.prompts(records)
        case Benchmark.REWARDBENCH_2:
            return rewardbench_2.prompts(records)
        case Benchmark.RM_BENCH:
            return rm_bench.prompts(records, file)
        case Benchmark.JUDGEBENCH:
            return judgebench.prompts(records)
        case Benchmark.LLMBAR:
            return llmbar.prompts(records, file)
        case Benchmark.ULTRAFEEDBACK:
            return ultrafeedback.prompts(records, tally, file.stem)
        case Benchmark.ULTRAFEEDBACK_BINARIZED:
            return ultrafeedback.binarized(records, tally, file.stem)
        case Benchmark.HELPSTEER3:
            return helpsteer3.prompts(records, tally)
        case Benchmark.PPE_PREFERENCE:
            return ppe.preferences(records, tally)
        case _:
            return ppe.correctness(records, file.stem)


def _once(prompts: Iterable[Prompt]) -> Iterator[Prompt]:
    """The prompts; a repeated id is refused."""
    seen: dict[tuple[str, str], str] = {}
    for prompt in prompts:
        key = prompt.subset, prompt.prompt_id
        if key in seen:
            raise InputError(
                prompt.where,
                expected="each id once in a subset",
                found=f"{'/'.join(key)} again, after {seen[key]}",
            )
        seen[key] = prompt.where
        yield prompt


def _with_text(prompts: Iterable[Prompt], tally: Tally) -> list[Prompt]:
    """The prompts of which all responses have text: nothing can be scored of the others."""
    kept = []
    for prompt in prompts:
        if all(response.text.strip() for response in prompt.responses):
            kept.append(prompt)
        else:
            tally.add("", "prompts with an empty response left out", prompt.where)
    return kept


def _rows(
    prompt: Prompt, dataset: str, benchmark: Benchmark, one_step: bool
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The rows of a prompt's responses in the tables of solutions and responses."""
    for number, response in enumerate(prompt.responses):
        key = {
            "dataset": dataset,
            "category": prompt.subset,
            "question_id": prompt.prompt_id,
            "solution_id": number,
        }
        solution = {
            **key,
            "question": prompt.text,
            "answer": None,
            "steps": _steps(response, one_step),
            "parsed_answer": None,
            "outcome": response.outcome,
            "step_labels": None,
        }
        yield (
            solution,
            {
                **key,
                "benchmark": benchmark,
                "section": prompt.section,
                "is_chosen": response.is_chosen,
                "style": response.style,
                "margin": prompt.margin,
                "n_shown": None,
            },
        )


def _steps(response: Response, one_step: bool) -> list[str]:
    if response.steps is not None:
        return list(response.steps)
    return [response.text.strip()] if one_step else split_steps(response.text)


def _rewards(
    prompts: Sequence[Prompt],
    solutions: Sequence[Row],
    model: str | None,
    source: Sequence[str],
) -> list[dict[str, Any]]:
    """A reward for each response, null where the file has none."""
    models = sorted({prompt.model for prompt in prompts if prompt.model is not None})
    if len(models) != 1:
        raise InputError(
            ", ".join(source),
            expected="the scores of one reward model",
            found=f"those of {', '.join(models)}" if models else "none",
            remedy="read without --output-rewards" if not models else "read each model's file",
        )
    responses = [response for prompt in prompts for response in prompt.responses]
    return [
        {
            **{name: solution[name] for name in SOLUTIONS.key},
            "model": models[0] if model is None else model,
            "rewards": [response.reward],
            "n_tokens_read": None,
            "n_tokens_generated": None,
            "flops": None,
            "truncated": None,
            "unit": Unit.SOLUTION,
            "scale": Scale.SCORE,
        }
        for solution, response in zip(solutions, responses, strict=True)
    ]
