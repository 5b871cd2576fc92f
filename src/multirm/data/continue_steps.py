"""Entry point `continue_steps`: Monte-Carlo labels, by how often a policy reaches the right answer from each step on.

The labels are Math-Shepherd's (arXiv 2312.08935), corrected for guessing, and the search by halving is OmegaPRM's
(arXiv 2406.06592). They are about the policy's prospects after a step rather than about the step: a policy may be lucky
after a wrong step, or fail after a right one that is hard to follow.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from multirm.data.guessing import corrected_share, guessing_rate, is_known
from multirm.engines.base import Prompt
from multirm.errors import InputError
from multirm.generation.chat_jobs import ChatJob, ChatModel
from multirm.generation.options import GenerationOptions
from multirm.generation.solving_options import DEFAULT_SOLVING, Solving, SolvingOptions
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.numbers import Count, Fraction, PositiveOrZero
from multirm.tables import parquet
from multirm.tables.continuations import CONTINUATIONS, Search, fewest_continuations
from multirm.tables.labels import LABELS, LabelReason, LabelSource, label_rows
from multirm.tables.questions import QUESTIONS
from multirm.tables.solutions import SOLUTIONS, SOLUTIONS_IF_ANY
from multirm.text.answers import outcome_label
from multirm.text.encoding import encode_start
from multirm.text.solving import Asked, join_steps, read_reply

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ContinuationOptions(GenerationOptions):
    """The options of RLHFlow's Monte-Carlo labels."""

    max_tokens: Count = 2048
    temperature: PositiveOrZero = 0.7


@dataclass(frozen=True)
class Tally:
    """Continuations of some first steps: how many give an answer, and how many of these the right one."""

    n_answers: int
    n_right: int

    def is_hopeful(self, rate: float, significance: float) -> bool | None:
        """Whether the answer is known rather than guessed; None if the answers cannot tell."""
        if not self.n_answers:
            return None
        return is_known(self.n_right, self.n_answers, rate, significance)


@entry
def continue_steps(
    solutions: Path,
    policy: Place,
    output: OutputFile,
    output_continuations: OutputFile,
    options: ContinuationOptions,
    solving: SolvingOptions = DEFAULT_SOLVING,
    per_prefix: Count = 16,
    search: Search = Search.ALL,
    significance: Fraction = 0.05,
) -> None:
    """Label steps by the share of continuations after them that give the right answer.

    A step is good if significantly more continuations are right than by guessing among the options, and bad if
    significantly fewer are right than if the policy knew half of the answers; otherwise it has no label. `value` is
    the share of right ones, corrected for guessing. Continuations without an answer do not count. After the last
    step, label and value are the solution's outcome. Solutions that begin with the same steps share their
    continuations. A killed job resumes where it stopped.

    Args:
        solutions: solutions table, with reference answers.
        policy: model folder or hub name.
        output: labels table.
        output_continuations: table of all continuations.
        options: sampling options.
        solving: exemplars and templates.
        per_prefix: continuations after each step.
        search: which steps are continued.
        significance: the probability that a step after which the answer can only be guessed counts as good. At 1, a
            step is good if any continuation is right, as in Math-Shepherd, and bad otherwise.

    Raises:
        InputError: `per_prefix` is too small to tell, a solution has no outcome, a category lacks exemplars, or the
            policy has no chat template.
    """
    _require_enough(per_prefix, significance)
    rows = parquet.read(solutions, SOLUTIONS_IF_ANY).to_pylist()
    _require_outcomes(solutions, rows)
    shown = solving.load()
    model = ChatModel.load(policy, options)
    parameters = {
        "shots": solving.shots,
        "per_prefix": per_prefix,
        "search": search,
        "significance": significance,
    }
    inputs = [solutions, *solving.files]
    writer = _Writer(model.tokenizer, shown)
    with model.job(output, __name__, "policy", parameters, inputs) as job:
        found = _continue_all(job, writer, rows, per_prefix, search, significance)
        labels = []
        for row in rows:
            columns = monte_carlo_labels(row, _of(row, found), search, significance)
            labels += label_rows(row, LabelSource.MONTE_CARLO, columns)
        written = [row for of_prefix in found.values() for row in of_prefix]
        job.write([(output, LABELS, labels), (output_continuations, CONTINUATIONS, written)])
    _report(written, len(found))
    reasons = Counter(str(row["reason"]).replace("_", " ") for row in labels if row["reason"])
    if reasons:
        told = ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items()))
        logger.info("%d of %d steps without a label: %s", reasons.total(), len(labels), told)


@dataclass(frozen=True)
class _Writer:
    """Makes the prompts for continuations."""

    tokenizer: PreTrainedTokenizerBase
    solving: Solving

    def prompt(self, row: Row, n_steps: int) -> Prompt:
        """The prompt to go on after a solution's first steps."""
        start = join_steps([*row["steps"][:n_steps], ""])
        ids = encode_start(self.tokenizer, self.solving.turns(row), start)
        # The text itself would make the names of journaled items long.
        digest = hashlib.sha256(start.encode()).hexdigest()[:16]
        return Prompt(("continue", *(row[name] for name in QUESTIONS.key), digest), ids)


_Prefix = tuple[Any, ...]


def _prefix(row: Row, n_steps: int) -> _Prefix:
    return (*(row[name] for name in QUESTIONS.key), join_steps(row["steps"][:n_steps]))


def _continue_all(
    job: ChatJob,
    writer: _Writer,
    rows: Sequence[Row],
    per_prefix: int,
    search: Search,
    significance: float,
) -> dict[_Prefix, list[dict[str, Any]]]:
    """The rows of CONTINUATIONS by the beginnings that were continued, until no solution needs more."""
    found: dict[_Prefix, list[dict[str, Any]]] = {}
    while True:
        wanted: dict[_Prefix, tuple[Row, int]] = {}
        for row in rows:
            for n_steps in needed(row, _of(row, found), search, significance):
                wanted.setdefault(_prefix(row, n_steps), (row, n_steps))
        if not wanted:
            return found
        prompts = [writer.prompt(*each) for each in wanted.values()]
        texts = job.ask(prompts, per_prefix, done="continued", items="beginnings")
        for (prefix, (row, n_steps)), of_prefix in zip(wanted.items(), texts, strict=True):
            found[prefix] = [
                read_continuation(row, n_steps, number, text)
                for number, text in enumerate(of_prefix)
            ]


def read_continuation(row: Row, n_steps: int, number: int, text: Row) -> dict[str, Any]:
    """The row of CONTINUATIONS for a text that goes on after a solution's first steps.

    Its answer is the last one in these steps and the text together.

    Args:
        text: as from `texts_of`.
    """
    prefix = join_steps(row["steps"][:n_steps])
    answer = None
    if not text["truncated"]:
        _, answer = read_reply(join_steps([prefix, text["text"]]), Asked.of(row))
    return {
        **{name: row[name] for name in QUESTIONS.key},
        "prefix": prefix,
        "n_steps": n_steps,
        "continuation_id": number,
        "text": text["text"],
        "parsed_answer": answer,
        "outcome": None if answer is None else outcome_label(answer, row["answer"]),
        "n_tokens_read": text["n_tokens_read"],
        "n_tokens_generated": text["n_tokens_generated"],
    }


def _of(row: Row, found: Mapping[_Prefix, Sequence[Row]]) -> dict[int, Tally]:
    """The tallies of a solution's beginnings that were continued, by their number of steps."""
    tallies = {}
    for n_steps in range(1, len(row["steps"])):
        if (continued := found.get(_prefix(row, n_steps))) is not None:
            outcomes = [each["outcome"] for each in continued if each["outcome"] is not None]
            tallies[n_steps] = Tally(len(outcomes), sum(outcomes))
    return tallies


def needed(
    row: Row, tallies: Mapping[int, Tally], search: Search, significance: float
) -> list[int]:
    """The numbers of first steps of a solution that are to be continued next.

    Args:
        row: a row of a solutions table.
        tallies: of the beginnings that were continued before, by their number of steps.
    """
    n_steps = len(row["steps"])
    if search is Search.ALL:
        return [k for k in range(1, n_steps) if k not in tallies]
    rate = guessing_rate(Asked.of(row).n_options)
    low, high = 0, n_steps
    while high - low > 1:
        middle = (low + high) // 2
        if middle not in tallies:
            return [middle]
        hopeful = tallies[middle].is_hopeful(rate, significance)
        if hopeful is None:
            return []
        low, high = (middle, high) if hopeful else (low, middle)
    return []


def monte_carlo_labels(
    row: Row, tallies: Mapping[int, Tally], search: Search, significance: float
) -> list[dict[str, Any]]:
    """The columns of labels for each step of a solution.

    Args:
        row: a row of a solutions table, with its outcome.
        tallies: of the beginnings that `needed` asked for, by their number of steps.
    """
    n_steps = len(row["steps"])
    rate = guessing_rate(Asked.of(row).n_options)
    hopeful = {k: tally.is_hopeful(rate, significance) for k, tally in tallies.items()}
    hopeful[n_steps] = bool(row["outcome"])
    if search is Search.HALVING:
        hopeful = _filled(hopeful, n_steps)
    columns = []
    for k in range(1, n_steps + 1):
        good, tally = hopeful.get(k), tallies.get(k)
        column: dict[str, Any] = {"label": None if good is None else int(good)}
        if tally and tally.n_answers:
            agreeing = tally.n_right if good else tally.n_answers - tally.n_right
            column["value"] = corrected_share(tally.n_right, tally.n_answers, rate)
            column |= {"n_votes": tally.n_answers, "n_agreeing": None if good is None else agreeing}
        elif k == n_steps and good == bool(row["outcome"]):
            column["value"] = float(row["outcome"])
        if good is None:
            column["reason"] = _reason(tally)
        columns.append(column)
    return columns


def _reason(tally: Tally | None) -> LabelReason:
    """Why a step has no label."""
    if tally is None:
        return LabelReason.NOT_CONTINUED
    return LabelReason.UNSURE if tally.n_answers else LabelReason.NO_ANSWERS


def _filled(hopeful: Mapping[int, bool | None], n_steps: int) -> dict[int, bool | None]:
    """What halving implies: steps before a hopeful one are hopeful, those after a hopeless one hopeless.

    That a solution ends with the right answer implies nothing about the steps before it, and nothing about its last
    step if it is after a hopeless one.
    """
    last_good = max((k for k, good in hopeful.items() if good and k < n_steps), default=0)
    first_bad = min((k for k, good in hopeful.items() if good is False), default=n_steps + 1)
    return {
        k: True if k <= last_good else False if k >= first_bad else hopeful.get(k)
        for k in range(1, n_steps + 1)
    }


def _require_enough(per_prefix: int, significance: float) -> None:
    fewest = fewest_continuations(significance)
    if fewest is None:
        raise InputError(
            "--significance",
            expected="more than 0",
            found="0, at which no step would be good or bad",
        )
    if per_prefix < fewest:
        raise InputError(
            "--per-prefix",
            expected=f"at least {fewest}, to tell good steps from bad ones at significance {significance}",
            found=str(per_prefix),
        )


def _require_outcomes(path: Path, rows: Sequence[Row]) -> None:
    missing = [row for row in rows if row["outcome"] is None or row["answer"] is None]
    if missing:
        key = "/".join(str(missing[0][name]) for name in SOLUTIONS.key)
        raise InputError(
            path,
            expected="solutions with a reference answer and an outcome",
            found=f"{len(missing)} without (first: {key})",
            remedy="use labels from a judge for these",
        )


def _report(continuations: Sequence[Row], n_prefixes: int) -> None:
    n_right = sum(row["outcome"] == 1 for row in continuations)
    n_missing = sum(row["outcome"] is None for row in continuations)
    logger.info(
        "%d continuations of %d different beginnings: %d right, %d without an answer",
        len(continuations), n_prefixes, n_right, n_missing,
    )  # fmt: skip
