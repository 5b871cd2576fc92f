"""Replies of policies and judges → how many could be used, and why the others could not."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from multirm.errors import InputError, shown
from multirm.report.sheets import Row, Sheet, check_suffixes, in_words, write_sheets
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.judgements import JUDGEMENTS, JudgementReason
from multirm.tables.reply_counts import REASONS, REPLY_COUNTS, ReplyKind
from multirm.tables.samples import SAMPLES, SampleReason

_ASKED = {ReplyKind.SAMPLE: ("question_id",), ReplyKind.JUDGEMENT: ("question_id", "solution_id")}
_REASONS = {ReplyKind.SAMPLE: SampleReason, ReplyKind.JUDGEMENT: JudgementReason}


@entry
def tabulate_reply_counts(
    output: list[OutputFile],
    samples: list[Place] | None = None,
    judgements: list[Place] | None = None,
) -> None:
    """Count the replies of policies and judges: those that could be used, and the others for each reason.

    Args:
        output: Files to write; each suffix says the format: .parquet, .tex, .md or .csv.
        samples: DATASET=PATH: samples of a dataset, as `sample-solutions` writes them.
        judgements: DATASET=PATH: judgements behind a dataset's labels, as `judge-steps` writes them.
    """
    check_suffixes(output)
    given = {ReplyKind.SAMPLE: samples or [], ReplyKind.JUDGEMENT: judgements or []}
    named = [(kind, *_named(kind, word)) for kind, words in given.items() for word in words]
    if not named:
        raise InputError("--samples", expected="tables here or in --judgements", found="none")
    replies = [
        {**row, "dataset": name, "kind": kind}
        for kind, name, path in named
        for row in parquet.read(
            path, SAMPLES if kind is ReplyKind.SAMPLE else JUDGEMENTS
        ).to_pylist()
    ]
    rows = list(count(replies))
    origin = origin_of(__name__, {}, [path for _, _, path in named])
    write_sheets(output, REPLY_COUNTS, rows, sheets(rows), origin)


def _named(kind: ReplyKind, word: str) -> tuple[str, Path]:
    name, _, path = word.partition("=")
    if not name or not path:
        raise InputError(f"--{kind}s", expected="DATASET=PATH", found=shown(word))
    return name, Path(path)


def count(replies: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Rows of the reply_counts table: for each dataset and kind all replies first, then those of each category.

    Args:
        replies: rows of tables of samples and judgements, each with its kind and the dataset that it belongs to.
    """
    for dataset, kind in dict.fromkeys((row["dataset"], row["kind"]) for row in replies):
        own = [row for row in replies if (row["dataset"], row["kind"]) == (dataset, kind)]
        for category in (None, *dict.fromkeys(row["category"] for row in own)):
            some = [row for row in own if category in (None, row["category"])]
            key = {"dataset": dataset, "kind": str(kind), "category": category}
            yield {**key, **_counts(ReplyKind(kind), some)}


def _counts(kind: ReplyKind, replies: Sequence[Row]) -> Mapping[str, int | None]:
    used = [row for row in replies if row["reason"] is None]
    reasons = Counter(row["reason"] for row in replies)
    known = set(map(str, _REASONS[kind]))
    is_judged = kind is ReplyKind.JUDGEMENT
    return {
        "n_asked": len(_asked(kind, replies)),
        "n_without": len(_asked(kind, replies) - _asked(kind, used)),
        "n_replies": len(replies),
        "n_used": len(used),
        **{f"n_{reason}": reasons[reason] if reason in known else None for reason in REASONS},
        "n_no_bad_step": sum(row["first_bad"] == -1 for row in used) if is_judged else None,
    }


def _asked(kind: ReplyKind, replies: Iterable[Row]) -> set[tuple[Any, ...]]:
    """The keys of what the replies are about."""
    return {tuple(row[name] for name in ("category", *_ASKED[kind])) for row in replies}


def sheets(rows: Sequence[Row]) -> list[Sheet]:
    """For each dataset and kind, a sheet of categories with a column for each reason that occurs in it."""
    groups = groupby(rows, lambda row: (row["dataset"], row["kind"]))
    return [_sheet(dataset, ReplyKind(kind), list(own)) for (dataset, kind), own in groups]


def _sheet(dataset: str, kind: ReplyKind, rows: Sequence[Row]) -> Sheet:
    reasons = [reason for reason in REASONS if any(row[f"n_{reason}"] for row in rows)]
    is_judged = kind is ReplyKind.JUDGEMENT
    last = ["n_no_bad_step"] if is_judged else []
    columns = ["n_asked", "n_without", "n_replies", *(f"n_{reason}" for reason in reasons)]
    asked = "solutions" if is_judged else "questions"
    return Sheet(
        f"{'Judgements behind the labels' if is_judged else 'Samples'} of {dataset}: "
        "replies that cannot be used, for each reason, and those that can",
        [
            *("category", asked, "without any", "replies", *map(in_words, reasons), "used"),
            *(["no bad step"] if is_judged else []),
        ],
        [
            [
                "all" if row["category"] is None else in_words(row["category"]),
                *(f"{row[column]:,}" for column in (*columns, "n_used", *last)),
            ]
            for row in rows
        ],
    )
