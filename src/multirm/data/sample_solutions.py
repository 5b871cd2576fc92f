"""Entry point `sample_solutions`: let a policy answer questions, several times each, after worked examples.

As in VersaPRM (arXiv 2502.06737): five exemplars of the question's category as earlier turns of the chat, 16 solutions
to each training question and 128 to each test question, temperature 0.8, at most 2,048 tokens, and no `top_p`. The
differences from its code, by which counts differ a little:

- The question always has its options, once. The chat template is the model's own.
- Steps are separated by one or more blank lines, and none is empty; there, three line ends gave an empty step.
- The last answer anywhere counts; there, only one in the last step, and only in capitals.
- What is left out is written to the table of samples, with its reason.
- Each sample has its own seed, so that a run can be repeated.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Completion, Prompt
from multirm.errors import InputError
from multirm.generation.loop import generate_rows
from multirm.generation.options import GenerationOptions
from multirm.generation.prompts import conversation_prompt
from multirm.models.load import load_tokenizer, sources_of
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.journal import open_journal
from multirm.running.numbers import Count, CountOrZero, PositiveOrZero
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS
from multirm.tables.samples import SAMPLES, SampleReason
from multirm.tables.solutions import SOLUTIONS
from multirm.text.answers import outcome_label
from multirm.text.chat import conversation_date
from multirm.text.solving import (
    Asked,
    SolveTemplates,
    choose_exemplars,
    load_solve_templates,
    read_reply,
    solve_template_files,
    solve_turns,
)

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PolicyOptions(GenerationOptions):
    """The options of VersaPRM's policy, Llama-3.1-8B-Instruct (arXiv 2502.06737)."""

    max_tokens: Count = 2048
    temperature: PositiveOrZero = 0.8


@entry
def sample_solutions(
    questions: Path,
    policy: Place,
    dataset: str,
    output: OutputFile,
    output_samples: OutputFile,
    options: PolicyOptions,
    exemplars: list[Path] | None = None,
    shots: CountOrZero = 5,
    per_question: Count = 16,
    template: Path | None = None,
    open_template: Path | None = None,
) -> None:
    """Sample solutions to questions. Cut-off and answerless ones are marked and left out of the solutions.

    A killed job resumes where it stopped.

    Args:
        questions: questions table.
        policy: model folder or hub name.
        dataset: dataset name for the rows.
        output: solutions table; a solution's id is the number of its sample, so ids have gaps.
        output_samples: samples table: what the policy wrote, and why some of it is not a solution.
        options: sampling options.
        exemplars: solutions tables, whose correct solutions are shown as examples.
        shots: exemplars per prompt, all of the question's category; 0 for none.
        per_question: samples per question.
        template: template of the user turn for questions with options; by default, the package's own.
        open_template: likewise for questions without options.
    """
    rows = parquet.read(questions, QUESTIONS).to_pylist()
    files = solve_template_files(template, open_template)
    templates = load_solve_templates(*files)
    shown = read_exemplars(exemplars or [], shots)
    tokenizer = load_tokenizer(policy)
    prompts = solve_prompts(tokenizer, templates, rows, shown, shots)
    made_of, folders = sources_of(policy)
    parameters = {
        "dataset": dataset,
        "policy": made_of,
        "shots": shots,
        "per_question": per_question,
        **options.parameters,
        **conversation_date(tokenizer),
    }
    origin = origin_of(
        __name__, parameters, [questions, *(exemplars or []), *dict.fromkeys(files), *folders]
    )
    with open_journal(output, origin) as journal:
        engine = options.load_engine(policy)
        request = options.request(prompts, per_question)
        written = generate_rows(
            engine, request, journal, sampled, done="answered", items="questions"
        )
        made = [
            solution_and_sample(dataset, row, number, sample)
            for row, of_row in zip(rows, written, strict=True)
            for number, sample in enumerate(of_row)
        ]
        complete = [solution for solution, _ in made if solution is not None]
        every = [sample for _, sample in made]
        made_so = origin.having(reproducible=engine.reproducible)
        parquet.write_together(
            [(output, SOLUTIONS, complete), (output_samples, SAMPLES, every)], made_so
        )
    _report(complete, every)


def read_exemplars(exemplars: Sequence[Path], shots: int) -> list[Row]:
    """The rows of the tables that exemplars are chosen from.

    Raises:
        InputError: there are none although exemplars are to be shown, or some although none are.
    """
    if bool(exemplars) != bool(shots):
        raise InputError(
            "--exemplars",
            expected="tables of solutions to show as examples, or --shots 0",
            found=f"{'some' if exemplars else 'none'} and --shots {shots}",
        )
    rows: list[Row] = parquet.read_all(exemplars, SOLUTIONS).to_pylist()
    return rows


def solve_prompts(
    tokenizer: PreTrainedTokenizerBase,
    templates: SolveTemplates,
    questions: Sequence[Row],
    exemplars: Sequence[Row],
    shots: int,
) -> list[Prompt]:
    """A prompt per question, up to the open turn of the assistant.

    Args:
        questions: rows of a questions table.
        exemplars: rows of a solutions table.

    Raises:
        InputError: a category lacks exemplars, or the tokenizer has no usable chat template.
    """
    prompts = []
    for row in questions:
        chosen = choose_exemplars(exemplars, row, shots, "--exemplars")
        turns = solve_turns(templates, chosen, row)
        key = tuple(row[name] for name in QUESTIONS.key)
        prompts.append(conversation_prompt(tokenizer, ("solve", *key), turns))
    return prompts


def sampled(prompt: Prompt, completions: Sequence[Completion]) -> list[dict[str, Any]]:
    """What is kept of the samples of a prompt. They are read later, so how may change without sampling again."""
    return [
        {
            "text": one.text,
            "truncated": one.truncated,
            "n_tokens_read": len(prompt.ids),
            "n_tokens_generated": len(one.ids),
        }
        for one in completions
    ]


def solution_and_sample(
    dataset: str, question: Row, number: int, sample: Row
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The row of a solution, None if it is incomplete, and that of the sample.

    Args:
        question: a row of a questions table.
        number: the number of the sample among those of its question.
        sample: as from `sampled`.
    """
    key = {
        "dataset": dataset,
        "category": question["category"],
        "question_id": question["question_id"],
        "solution_id": number,
    }
    asked = Asked.of(question)
    steps, answer = read_reply(sample["text"], asked)
    reason = _reason(sample["truncated"], steps, answer)
    row = {
        **key,
        "text": sample["text"],
        "reason": reason,
        "n_tokens_read": sample["n_tokens_read"],
        "n_tokens_generated": sample["n_tokens_generated"],
    }
    if reason is not None:
        return None, row
    reference = question["answer"]
    return {
        **key,
        "question": asked.text,
        "answer": reference,
        "steps": steps,
        "parsed_answer": answer,
        "outcome": None if reference is None else outcome_label(answer, reference),
        "step_labels": None,
    }, row


def _reason(truncated: bool, steps: Sequence[str], answer: str | None) -> SampleReason | None:
    if truncated:
        return SampleReason.CUT_OFF
    if not steps:
        return SampleReason.NO_STEPS
    return SampleReason.NO_ANSWER if answer is None else None


def _report(solutions: Sequence[Row], samples: Sequence[Row]) -> None:
    reasons = Counter(row["reason"] for row in samples if row["reason"] is not None)
    left_out = ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items())) or "none"
    right = sum(row["outcome"] == 1 for row in solutions)
    logger.info(
        "%d samples: %d solutions, %d of them right; left out: %s",
        len(samples), len(solutions), right, left_out,
    )  # fmt: skip
    if not solutions:
        logger.warning("no sample became a solution: look into the table of samples")
