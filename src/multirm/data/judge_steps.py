"""Entry point `judge_steps`: have a language model name the first bad step of each solution.

The judge and its settings are VersaPRM's (arXiv 2502.06737): it sees the question, the reference answer and the steps,
at temperature 0. Unlike there, a reply that cannot be read is asked for again, and there may be several votes.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Prompt
from multirm.errors import InputError
from multirm.generation.chat_jobs import ChatJob, ChatModel
from multirm.generation.options import GenerationOptions
from multirm.generation.prompts import conversation_prompt
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.numbers import Count, PositiveOrZero
from multirm.tables import parquet
from multirm.tables.judgements import JUDGEMENTS, JudgementReason
from multirm.tables.labels import LABELS, LabelReason, LabelSource, label_rows
from multirm.tables.solutions import SOLUTIONS, SOLUTIONS_IF_ANY
from multirm.text.judging import (
    NO_BAD_STEP,
    judge_template_file,
    judge_turn,
    load_judge_template,
    parse_judgement,
)

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]

# At temperature 0, another attempt would get the same reply.
RETRY_TEMPERATURE = 0.6

# A judge that finds no bad step this often, in at least so many replies, may agree with everything.
AGREES_WITH_ALL, ENOUGH_REPLIES = 0.98, 50

# A judge from which so large a share of solutions gets no labels may be unable to follow its template.
MANY_WITHOUT = 0.2


@dataclass(frozen=True, kw_only=True)
class JudgeOptions(GenerationOptions):
    """The options of VersaPRM's judge, Llama-3.1-70B-Instruct (arXiv 2502.06737)."""

    max_tokens: Count = 2048
    temperature: PositiveOrZero = 0.0


@entry
def judge_steps(
    solutions: list[Path],
    judge: Place,
    output: OutputFile,
    output_judgements: OutputFile,
    options: JudgeOptions,
    votes: Count = 1,
    attempts: Count = 3,
    reference: Annotated[bool, Parameter(negative="--no-reference")] = True,
    template: Path | None = None,
) -> None:
    """Label the steps of each solution by a judge: good before the first bad step that it names, bad from there on.

    With several votes, the step that most of them name counts; a tie gives no label. A killed job resumes where it
    stopped.

    Args:
        solutions: solutions tables, such as of all categories of a dataset: the judge is loaded once for all.
        judge: model folder or hub name.
        output: labels table. `value` is the share of votes that call the step good.
        output_judgements: table of all replies.
        options: sampling options. Attempts after the first use at least the temperature 0.6.
        votes: votes per solution. At temperature 0 they are equal.
        attempts: how often a vote is asked for, until a reply names a step that exists, or none.
        reference: whether the judge sees the reference answer.
        template: prompt template, which defines what is bad; by default, the package's own.

    Raises:
        InputError: the reference answer of a solution is missing though the judge should see it, or the template or
            the judge cannot be used.
    """
    rows = parquet.read_all(solutions, SOLUTIONS_IF_ANY).to_pylist()
    _require_answers(solutions, rows, reference)
    file = judge_template_file(reference, template)
    words = load_judge_template(file, reference)
    model = ChatModel.load(judge, options)
    prompts = judge_prompts(model.tokenizer, words, rows)
    parameters = {
        "votes": votes,
        "attempts": attempts,
        "reference": reference,
        "template": words,
    }
    with model.job(output, __name__, "judge", parameters, [*solutions, file]) as job:
        replies = _ask(job, words, prompts, rows, votes, attempts)
        labels = [
            label
            for row, of_row in zip(rows, replies, strict=True)
            for label in label_rows(row, LabelSource.JUDGE, vote(of_row, len(row["steps"])))
        ]
        every = [reply for of_row in replies for reply in of_row]
        job.write([(output, LABELS, labels), (output_judgements, JUDGEMENTS, every)])
    _report(replies)


def judge_prompts(
    tokenizer: PreTrainedTokenizerBase, template: str, rows: Sequence[Row]
) -> list[Prompt]:
    """A prompt per solution.

    Raises:
        InputError: the tokenizer has no usable chat template.
    """
    return [
        conversation_prompt(
            tokenizer,
            ("judge", *(row[name] for name in SOLUTIONS.key)),
            [judge_turn(template, row)],
        )
        for row in rows
    ]


def _ask(
    job: ChatJob,
    template: str,
    prompts: Sequence[Prompt],
    rows: Sequence[Row],
    votes: int,
    attempts: int,
) -> list[list[dict[str, Any]]]:
    """The rows of JUDGEMENTS for each solution. All votes are asked for at once, then again those that failed."""
    replies: list[list[dict[str, Any]]] = [[] for _ in rows]
    failed = {place: list(range(votes)) for place in range(len(rows))}
    for attempt in range(attempts):
        usual = job.options.temperature
        temperature = max(usual, RETRY_TEMPERATURE) if attempt else usual
        requests = [*_requests(failed, votes, attempt)]
        asked = [([prompts[place] for place in places], n, first) for places, first, n in requests]
        every = job.ask_all(asked, temperature, done="judged", items="solutions")
        for (places, first, _), texts in zip(requests, every, strict=True):
            for place, of_prompt in zip(places, texts, strict=True):
                for number, text in enumerate(of_prompt, start=first):
                    known = {name: rows[place][name] for name in SOLUTIONS.key}
                    read = read_judgement(text, len(rows[place]["steps"]), template)
                    spot = {"vote": number % votes, "attempt": attempt}
                    replies[place].append({**known, **spot, **read})
        failed = {
            place: numbers
            for place, of_row in enumerate(replies)
            if (numbers := [each["vote"] for each in of_row if _failed(each, attempt)])
        }
    return replies


def _failed(reply: Row, attempt: int) -> bool:
    is_read = reply["reason"] in (None, JudgementReason.GIVEN_UP)
    return reply["attempt"] == attempt and not is_read


def _requests(
    failed: Mapping[int, Sequence[int]], votes: int, attempt: int
) -> Iterator[tuple[list[int], int, int]]:
    """The places of prompts, the number of their first sample and how many samples, for an attempt of some votes.

    Sample `attempt * votes + vote` of a prompt is the attempt of a vote, so each has a seed of its own.
    """
    if attempt == 0:
        yield list(failed), 0, votes
        return
    for number in range(votes):
        places = [place for place, numbers in failed.items() if number in numbers]
        if places:
            yield places, attempt * votes + number, 1


def read_judgement(reply: Row, n_steps: int, template: str) -> dict[str, Any]:
    """The columns of JUDGEMENTS that depend on a reply.

    Args:
        reply: as from `texts_of`.
    """
    first_bad, reason = parse_judgement(reply["text"], template), None
    if reply["given_up"]:
        reason = JudgementReason.GIVEN_UP
    elif reply["truncated"]:
        reason = JudgementReason.CUT_OFF
    elif not reply["text"].strip():
        reason = JudgementReason.EMPTY
    elif first_bad is None:
        reason = JudgementReason.NO_BOX
    elif not NO_BAD_STEP <= first_bad < n_steps:
        reason = JudgementReason.OUT_OF_RANGE
    return {
        "reply": reply["text"],
        "n_tokens_read": reply["n_tokens_read"],
        "n_tokens_generated": reply["n_tokens_generated"],
        "first_bad": None if reason else first_bad,
        "reason": reason,
    }


def vote(replies: Sequence[Row], n_steps: int) -> list[dict[str, Any]]:
    """The columns of labels for each step of a solution, from all replies about it.

    Returns:
        for each step, `label`: whether it comes before the first bad step that most votes name; `n_agreeing`: the
        number of votes with this label; and `value`: the share of votes for which the step is good. If several
        first bad steps have as many votes, `label` is null.
    """
    named = [reply["first_bad"] for reply in replies if reply["reason"] is None]
    if not named:
        reasons = {reply["reason"] for reply in replies}
        out = reasons == {JudgementReason.OUT_OF_RANGE}
        reason = LabelReason.OUT_OF_RANGE if out else LabelReason.UNPARSABLE
        return [{"n_votes": 0, "n_agreeing": 0, "reason": reason} for _ in range(n_steps)]
    (chosen, most), *others = Counter(named).most_common()
    tied = any(count == most for _, count in others)
    columns = []
    for step in range(n_steps):
        n_good = sum(_is_good(step, first_bad) for first_bad in named)
        label = None if tied else int(_is_good(step, chosen))
        n_agreeing = None if tied else (n_good if label else len(named) - n_good)
        columns.append(
            {
                "label": label,
                "value": n_good / len(named),
                "n_votes": len(named),
                "n_agreeing": n_agreeing,
                "reason": LabelReason.TIED if tied else None,
            }
        )
    return columns


def _is_good(step: int, first_bad: int) -> bool:
    return first_bad == NO_BAD_STEP or step < first_bad


def _require_answers(paths: Sequence[Path], rows: Sequence[Row], reference: bool) -> None:
    missing = [row for row in rows if row["answer"] is None] if reference else []
    if missing:
        key = "/".join(str(missing[0][name]) for name in SOLUTIONS.key)
        raise InputError(
            ", ".join(map(str, paths)),
            expected="a reference answer to show to the judge",
            found=f"none for {len(missing)} solutions (first: {key})",
            remedy="judge without it (--no-reference)",
        )


def _report(replies: Sequence[Sequence[Row]]) -> None:
    """Log how many replies count, and warn if labels will be few or say little.

    Args:
        replies: of each solution.
    """
    every = [reply for of_row in replies for reply in of_row]
    reasons = Counter(str(reply["reason"]) for reply in every if reply["reason"])
    told = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in sorted(reasons.items()))
    logger.info("%d replies, of which do not count: %s", len(every), told or "none")
    without = sum(all(reply["reason"] for reply in of_row) for of_row in replies)
    if without > MANY_WITHOUT * len(replies):
        logger.warning(
            "%d of %d solutions get no labels, because no reply has a box with the number of a step, or with -1; "
            "read some replies, and see whether the judge can follow the template",
            without,
            len(replies),
        )
    named = [reply["first_bad"] for reply in every if reply["reason"] is None]
    share = named.count(NO_BAD_STEP) / max(1, len(named))
    if len(named) >= ENOUGH_REPLIES and share >= AGREES_WITH_ALL:
        logger.warning(
            "the judge finds no bad step in %.1f %% of %d replies; its labels may say nothing",
            100 * share,
            len(named),
        )
