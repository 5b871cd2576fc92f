"""UltraFeedback (arXiv 2310.01377): completions of several models with ratings, and pairs made from them.

In the raw form, a completion's grade is the mean of its ratings of aspects, without those that are `N/A`. The best
completions are the chosen ones, and all others the rejected ones; the margin is between the best and the next
best grade. Prompts whose completions all have one grade, or no grade, are left out and counted.

In the binarized form (as of `ultrafeedback_binarized`), `chosen` and `rejected` are conversations that end in a
response, and the margin is the difference of their scores.
"""

from collections.abc import Iterable, Iterator

from multirm.data.reward_benchmarks.prompts import (
    ASSISTANT,
    Prompt,
    Response,
    conversation,
    pair,
    prompt_text,
    response_text,
)
from multirm.data.tally import Tally
from multirm.errors import shown
from multirm.formats.json_source import Record, as_record


def prompts(records: Iterable[Record], tally: Tally, subset: str) -> Iterator[Prompt]:
    """A prompt for each row of the raw form whose completions have different grades; the subset is its `source`."""
    for number, record in enumerate(records):
        own = record.name("source") if "source" in record.values else subset
        completions = record.records("completions")
        if not completions:
            raise record.error("completions", expected="at least one", found="none")
        graded = [(_grade(each), response_text(each, "response")) for each in completions]
        grades = [grade for grade, _ in graded if grade is not None]
        if len(grades) < len(graded):
            tally.add("", "prompts with an unrated completion left out", record.where)
            continue
        best, *others = sorted(set(grades), reverse=True)
        if not others:
            tally.add("", "prompts whose completions have one grade left out", record.where)
            continue
        yield Prompt(
            record.where,
            own,
            own,
            f"{number:06d}",
            prompt_text(record, "instruction"),
            [Response(text, grade == best) for grade, text in graded],
            margin=best - others[0],
        )


def _grade(completion: Record) -> float | None:
    """The mean rating of a completion's aspects; None if it has none."""
    annotations = as_record(f"{completion.where}, annotations", completion.get("annotations"))
    ratings = []
    for aspect in annotations.values:
        annotation = as_record(f"{annotations.where}, {aspect}", annotations.get(aspect))
        text = str(annotation.get("Rating")).strip()
        if text == "N/A":
            continue
        if text not in ("1", "2", "3", "4", "5"):
            raise annotation.error("Rating", expected="1 to 5, or N/A", found=shown(text))
        ratings.append(int(text))
    return sum(ratings) / len(ratings) if ratings else None


def binarized(records: Iterable[Record], tally: Tally, subset: str) -> Iterator[Prompt]:
    """A prompt for each row of the binarized form whose scores differ, or that has none."""
    for record in records:
        chosen, rejected = record.items("chosen"), record.items("rejected")
        margin = _margin(record)
        if margin == 0:
            tally.add("", "pairs with equal scores left out", record.where)
            continue
        if margin is not None and margin < 0:
            raise record.error(
                "score_chosen", expected="at least score_rejected", found=f"{margin} less"
            )
        yield Prompt(
            record.where,
            subset,
            subset,
            record.identifier("prompt_id"),
            conversation(f"{record.where}, chosen", chosen[:-1]) or record.text("prompt"),
            pair(_last(record, "chosen", chosen), _last(record, "rejected", rejected)),
            margin=margin,
        )


def _margin(record: Record) -> float | None:
    scores = [record.values.get(key) for key in ("score_chosen", "score_rejected")]
    for key, score in zip(("score_chosen", "score_rejected"), scores, strict=True):
        if score is not None and (type(score) not in (int, float) or score != score):
            raise record.error(key, expected="a number, or null", found=shown(score))
    chosen, rejected = scores
    return None if chosen is None or rejected is None else float(chosen) - float(rejected)


def _last(record: Record, key: str, messages: list[object]) -> str:
    """The response that a conversation ends in."""
    if not messages:
        raise record.error(key, expected="at least one message", found="an empty list")
    last = as_record(f"{record.where}, {key}[{len(messages) - 1}]", messages[-1])
    if last.text("role") != ASSISTANT:
        raise last.error("role", expected=ASSISTANT, found=shown(last.text("role")))
    return response_text(last, "content")
