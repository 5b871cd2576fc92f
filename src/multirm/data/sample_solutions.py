"""Entry point `sample_solutions`: let a policy answer questions, several times each, after worked examples.

As in VersaPRM (arXiv 2502.06737): five exemplars of the question's category as earlier turns of the chat, 16 solutions
to each training question and 128 to each test question, temperature 0.8, at most 2,048 tokens, and no `top_p`. The
differences from its code, by which counts differ a little:

- The question always has its options, once. The chat template is the model's own.
- Steps are separated by one or more blank lines, and none is empty; there, three line ends gave an empty step.
- The last answer anywhere counts; there, only one in the last step, and only in capitals. As there, "Answer: C" counts
  if no text says what "the answer is". "The answer to the question is" says so, too.
- What is left out is written to the table of samples, with its reason.
- Each sample has its own seed, so that a run can be repeated.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multirm.generation.chat_jobs import ChatModel
from multirm.generation.options import GenerationOptions
from multirm.generation.prompts import conversation_prompt
from multirm.generation.solving_options import DEFAULT_SOLVING, SolvingOptions
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.numbers import Count, PositiveOrZero
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS
from multirm.tables.samples import SAMPLES, SampleReason
from multirm.tables.solutions import SOLUTIONS
from multirm.text.answers import outcome_label
from multirm.text.solving import Asked, read_reply

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
    solving: SolvingOptions = DEFAULT_SOLVING,
    per_question: Count = 16,
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
        solving: exemplars and templates.
        per_question: samples per question.

    Raises:
        InputError: a category lacks exemplars, or the policy has no usable chat template.
    """
    rows = parquet.read(questions, QUESTIONS).to_pylist()
    shown = solving.load()
    model = ChatModel.load(policy, options)
    prompts = [
        conversation_prompt(
            model.tokenizer, ("solve", *(row[name] for name in QUESTIONS.key)), shown.turns(row)
        )
        for row in rows
    ]
    parameters = {"dataset": dataset, "shots": solving.shots, "per_question": per_question}
    inputs = [questions, *solving.files]
    with model.job(output, __name__, "policy", parameters, inputs) as job:
        written = job.ask(prompts, per_question, done="answered", items="questions")
        made = [
            solution_and_sample(dataset, row, number, sample)
            for row, of_row in zip(rows, written, strict=True)
            for number, sample in enumerate(of_row)
        ]
        complete = [solution for solution, _ in made if solution is not None]
        every = [sample for _, sample in made]
        job.write([(output, SOLUTIONS, complete), (output_samples, SAMPLES, every)])
    _report(complete, every)


def solution_and_sample(
    dataset: str, question: Row, number: int, sample: Row
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The row of a solution, None if it is incomplete, and that of the sample.

    Args:
        question: a row of a questions table.
        number: the number of the sample among those of its question.
        sample: as from `texts_of`.
    """
    key = {
        "dataset": dataset,
        "category": question["category"],
        "question_id": question["question_id"],
        "solution_id": number,
    }
    asked = Asked.of(question)
    steps, answer = read_reply(sample["text"], asked)
    reason = _reason(sample, steps, answer)
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


def _reason(sample: Row, steps: Sequence[str], answer: str | None) -> SampleReason | None:
    if sample["given_up"]:
        return SampleReason.GIVEN_UP
    if sample["truncated"]:
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
