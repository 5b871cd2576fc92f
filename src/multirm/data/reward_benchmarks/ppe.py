"""PPE (arXiv 2410.14872): people's preferences between two models, and pools of responses known to be right or wrong.

Preferences: `winner` is model_a, model_b or a tie, and ties are left out and counted; the subset is the language.
Correctness: `response_1` … `response_32` with `scores`, a truth value each; the subset is the name of the file.
"""

import re
from collections.abc import Iterable, Iterator

from multirm.data.reward_benchmarks.prompts import (
    Prompt,
    Response,
    pair,
    prompt_text,
    response_text,
)
from multirm.data.tally import Tally
from multirm.errors import one_of, shown
from multirm.formats.json_source import Record

_WINNERS = ("model_a", "model_b", "tie", "tie (bothbad)")
_RESPONSE = re.compile(r"response_\d+", re.ASCII)


def preferences(records: Iterable[Record], tally: Tally) -> Iterator[Prompt]:
    """A prompt for each row that has a winner."""
    for record in records:
        winner = record.text("winner")
        if winner not in _WINNERS:
            raise record.error("winner", expected=one_of(_WINNERS), found=shown(winner))
        if winner not in _WINNERS[:2]:
            tally.add("", "ties left out", record.where)
            continue
        texts = [response_text(record, f"response_{k}") for k in (1, 2)]
        language = record.name("language")
        yield Prompt(
            record.where,
            language,
            language,
            record.identifier("question_id"),
            prompt_text(record, "prompt"),
            pair(*(texts if winner == _WINNERS[0] else reversed(texts))),
        )


def correctness(records: Iterable[Record], subset: str) -> Iterator[Prompt]:
    """A prompt for each row; its responses may be all right or all wrong."""
    for record in records:
        scores = record.truths("scores")
        n_responses = sum(bool(_RESPONSE.fullmatch(key)) for key in record.values)
        if len(scores) != n_responses:
            raise record.error(
                "scores",
                expected=f"a score for each of {n_responses} responses",
                found=str(len(scores)),
            )
        if None in scores:
            raise record.error("scores", expected="true or false", found="null")
        yield Prompt(
            record.where,
            subset,
            subset,
            record.identifier("question_id"),
            prompt_text(record, "prompt"),
            [
                Response(
                    response_text(record, f"response_{k}"), bool(score), outcome=int(bool(score))
                )
                for k, score in enumerate(scores, start=1)
            ],
        )
