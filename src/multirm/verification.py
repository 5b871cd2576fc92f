"""Solutions as prompts for a generative verifier, and a verifier's completions of them.

Generating critiques, learning from them and scoring by them go through here, so that all three show a
solution in the same words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multirm import tables
from multirm.encoding import encode_prompt
from multirm.engines.base import Completion, Engine, Prompt, Sampling
from multirm.errors import InputError
from multirm.journal import Journal
from multirm.labels import first_incorrect
from multirm.progress import Progress
from multirm.prompts import render_prompt
from multirm.vocabulary import CritiqueStage, Kind

if TYPE_CHECKING:
    # Typing only: the stages that read and write no text do without transformers.
    from transformers import PreTrainedTokenizerBase

Key = tuple[str | int, ...]
Columns = Callable[[Prompt, Sequence[Completion]], list[dict[str, Any]]]


def require_generative(kind: Kind) -> None:
    """Refuse the kinds that write no critiques.

    Raises:
        InputError: `kind` is discriminative.
    """
    if not kind.is_generative:
        raise InputError("kind", expected=f"{Kind.GORM} or {Kind.GPRM}", found=kind)


def require_critiques(path: Path, kind: Kind, *stages: CritiqueStage) -> None:
    """Refuse a table of critiques that are not of `kind` and have not come to one of `stages`.

    Its rows would not show it: they look alike whatever they are for.

    Raises:
        InputError: other critiques, or a table whose footer does not say which.
    """
    made_by = tables.read_footer(path).parameters
    found_kind, found_stage = made_by.get("kind"), made_by.get("stage")
    if found_kind != kind or found_stage not in stages:
        raise InputError(
            path,
            expected=f"{kind} critiques, {' or '.join(stages)}",
            found=f"{found_kind or 'some of no known kind'}, {found_stage or 'of no known stage'}",
            remedy="critiques are generated, filtered and shortened for one kind, in this order",
        )


def solution_key(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that name a solution, of a row of any table that has them."""
    return {column: row[column] for column in tables.SOLUTIONS.key}


def verification_prompts(
    kind: Kind,
    tokenizer: PreTrainedTokenizerBase,
    template: str,
    solutions: Iterable[Mapping[str, Any]],
) -> list[Prompt]:
    """One prompt per row of a solutions table, each showing the whole solution.

    Raises:
        InputError: the tokenizer has no chat template.
    """
    return [
        Prompt(
            (str(kind), *solution_key(row).values()),
            encode_prompt(tokenizer, render_prompt(template, kind, row["question"], row["steps"])),
        )
        for row in solutions
    ]


def learned_prompt(kind: Kind, template: str, solution: Mapping[str, Any]) -> str:
    """The user turn before a critique that is learned from.

    gPRM sees the solution only up to its first incorrect step: the critique ends there too.
    """
    steps = solution["steps"]
    if kind is Kind.GPRM and solution["step_labels"] is not None:
        first = first_incorrect(solution["step_labels"])
        steps = steps if first is None else steps[: first + 1]
    return render_prompt(template, kind, solution["question"], steps)


def with_solutions(
    critiques: Iterable[Mapping[str, Any]],
    solutions: Iterable[Mapping[str, Any]],
    where: Path | str,
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each row of a critiques table with the row of the solution that it is about.

    Args:
        where: the table of critiques, for the message.

    Raises:
        InputError: a critique is about none of `solutions`.
    """
    by_key: dict[Key, Mapping[str, Any]] = {
        tuple(solution_key(row).values()): row for row in solutions
    }
    pairs = []
    for number, critique in enumerate(critiques, start=1):
        key = solution_key(critique)
        solution = by_key.get(tuple(key.values()))
        if solution is None:
            raise InputError(
                f"{where}, row {number}",
                expected="a critique of one of the given solutions",
                found=", ".join(f"{name} {value!r}" for name, value in key.items()),
                remedy="give the solutions that the critiques were made from",
            )
        pairs.append((critique, solution))
    return pairs


def complete(
    engine: Engine,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    watch: Sequence[int],
    seed: int,
    journal: Journal,
    columns: Columns,
) -> list[list[dict[str, Any]]]:
    """What `columns` says of each prompt's completions, in the order of `prompts`.

    It is written to the journal as it comes, and what is there already is not generated again.
    """

    def name(prompt: Prompt) -> str:
        return json.dumps([*prompt.key, sampling.first])

    done = {prompt.key for prompt in prompts if name(prompt) in journal.items}
    with Progress("verified", "solutions", len(prompts) - len(done)) as progress:
        for completed in engine.generate(prompts, sampling, watch, seed, done):
            journal.add({name(prompt): columns(prompt, samples) for prompt, samples in completed})
            n_tokens = sum(len(sample.ids) for _, samples in completed for sample in samples)
            progress.add(len(completed), n_tokens)
    return [journal.items[name(prompt)] for prompt in prompts]
