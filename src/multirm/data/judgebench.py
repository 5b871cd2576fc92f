"""JudgeBench's output files (arXiv 2410.12784): pairs of a right and a wrong answer, with a judge's scores.

A reward model scores each answer by itself, so the second game of a pair, which shows the answers in reverse
order, adds nothing: scores are taken from the first game. The category is the pair's `source`; the model is
`judge_model`.
"""

import logging
import math
from collections.abc import Iterable, Iterator

from multirm.errors import InputError, shown
from multirm.formats.json_source import Placed, Record, as_record, each, files_of, read_json_lines
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.files import local
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.pairs import PAIRS

logger = logging.getLogger(__name__)

LABELS = ("A>B", "B>A")


@entry
def read_pairs(
    source: list[Place], dataset: str, output: OutputFile, model: str | None = None
) -> None:
    """Read scored pairs of answers into a table of pairs.

    Args:
        source: JudgeBench's output files, or folders of them, one line per pair.
        dataset: The dataset name for the rows.
        output: The table to write.
        model: The name of the model that gave the scores; by default, the one in the file.

    Raises:
        InputError: the source is missing or broken, or has a pair twice; nothing is written.
    """
    rows = []
    seen: dict[tuple[str, ...], str] = {}
    for where, row in pairs(read_json_lines(files_of(source, "*.jsonl"))):
        named = {"dataset": dataset, **row, "model": row["model"] if model is None else model}
        key = tuple(named[name] for name in PAIRS.key)
        if key in seen:
            found = f"{'/'.join(key)} again, after {seen[key]}"
            raise InputError(where, expected="each pair once per model", found=found)
        seen[key] = where
        rows.append(named)
    logger.info("%d pairs of %s", len(rows), dataset)
    origin = origin_of(__name__, {"dataset": dataset, "model": model}, local(source))
    parquet.write(output, PAIRS, rows, origin)


def pairs(records: Iterable[Record]) -> Iterator[Placed]:
    """Rows of the pairs table, without `dataset`; a score that is null or NaN is missing."""
    return each(records, _pair)


def _pair(_: int, record: Record) -> Iterator[Placed]:
    label = record.text("label")
    if label not in LABELS:
        raise record.error("label", expected=" or ".join(LABELS), found=shown(label))
    games = record.records("judgments")
    if not games:
        raise record.error("judgments", expected="at least one game", found="none")
    judgment = as_record(f"{games[0].where}, judgment", games[0].get("judgment"))
    scores = [_score(judgment, i, value) for i, value in enumerate(judgment.items("scores"))]
    if len(scores) != 2:
        raise judgment.error("scores", expected="two scores", found=str(len(scores)))
    chosen, rejected = scores if label == LABELS[0] else reversed(scores)
    yield (
        record.where,
        {
            "category": record.name("source"),
            "pair_id": record.identifier("pair_id"),
            "model": judgment.text("judge_model"),
            "score_chosen": chosen,
            "score_rejected": rejected,
        },
    )


def _score(judgment: Record, place: int, value: object) -> float | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if type(value) not in (int, float):
        raise judgment.error(f"scores[{place}]", expected="a number or null", found=shown(value))
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError as error:
        raise judgment.error(
            f"scores[{place}]", expected="a number that float64 can hold", found=shown(value)
        ) from error
