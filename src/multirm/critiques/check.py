"""Count critiques by category: how many are kept, why the others are not, and what they look like."""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.critique_rows import (
    n_tokens,
    read_counted,
    require_critiques,
    require_generative,
    solution_key,
)
from multirm.tables.critiques import (
    CRITIQUE_CHECKS,
    CritiqueStage,
    Deviation,
    DropReason,
)
from multirm.tables.reward_models import Kind

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]

# Reasons of critiques that agree with the labels: they are checked only after disagreement.
_AGREEING = (None, DropReason.TOO_LONG, DropReason.DUPLICATE, DropReason.UNBALANCED)


@entry
def check_critiques(kind: Kind, critiques: list[Path], output: OutputFile) -> None:
    """Count kept critiques by verdict and dropped ones by reason, with deviations in form and lengths.

    Args:
        kind: gORM or gPRM.
        critiques: tables of filtered, shortened or downloaded critiques.
        output: table with a row per dataset and category.
    """
    require_generative(kind)
    for path in critiques:
        require_critiques(path, kind, CritiqueStage.FILTERED, CritiqueStage.SHORTENED)
    groups: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in read_counted(critiques):
        groups[row["dataset"], row["category"]].append(row)
    counted = [
        {"dataset": dataset, "category": category, "kind": str(kind), **counts(rows)}
        for (dataset, category), rows in groups.items()
    ]
    for row in counted:
        logger.info("%s: %s", row["category"], _in_words(row))
    origin = origin_of(__name__, {"kind": kind}, critiques)
    parquet.write(output, CRITIQUE_CHECKS, counted, origin)


def counts(rows: Sequence[Row]) -> dict[str, Any]:
    """The columns of `tables.CRITIQUE_CHECKS` that summarise rows of a critiques table."""
    kept = [row for row in rows if row["kept"]]
    reasons = Counter(row["reason"] for row in rows)
    deviations = Counter(deviation for row in rows for deviation in row["deviations"] or ())
    disagreeing = [row["verdict"] for row in rows if row["reason"] == DropReason.LABEL_DISAGREES]
    n_agreeing = sum(reasons[reason] for reason in _AGREEING)
    n_compared = n_agreeing + len(disagreeing)
    tokens = [count for row in kept if (count := n_tokens(row)) is not None]
    characters = [len(row["critique"]) for row in kept]
    return {
        "n_solutions": _n_solutions(rows),
        "n_critiques": len(rows),
        "n_truncated": sum(row["truncated"] for row in rows),
        "n_kept": len(kept),
        "n_kept_solutions": _n_solutions(kept),
        "n_kept_yes": sum(row["verdict"] == 1 for row in kept),
        "n_kept_no": sum(row["verdict"] == 0 for row in kept),
        **{f"n_{reason}": reasons[reason] for reason in DropReason},
        "n_disagreeing_yes": sum(verdict == 1 for verdict in disagreeing),
        "n_disagreeing_no": sum(verdict == 0 for verdict in disagreeing),
        "agreement": n_agreeing / n_compared if n_compared else None,
        **{f"n_{deviation}": deviations[deviation] for deviation in Deviation},
        "median_tokens": median(tokens) if tokens else None,
        "max_tokens": max(tokens, default=None),
        "median_characters": median(characters) if characters else None,
        "max_characters": max(characters, default=None),
    }


def _n_solutions(rows: Sequence[Row]) -> int:
    return len({tuple(solution_key(row).values()) for row in rows})


def _in_words(row: Row) -> str:
    """A row of the table as a log message."""
    text = (
        f"{row['n_kept']} of {row['n_critiques']} critiques kept, "
        f"{row['n_kept_yes']} Yes and {row['n_kept_no']} No, "
        f"of {row['n_kept_solutions']} solutions of {row['n_solutions']}"
    )
    if row["agreement"] is not None:
        text += f"; {100 * row['agreement']:.1f} % of verdicts as labelled"
    dropped = [f"{row[f'n_{reason}']} {reason}" for reason in DropReason if row[f"n_{reason}"]]
    return "; ".join([text, *([f"not kept: {', '.join(dropped)}"] if dropped else [])])
