"""The headline in sentences: which reward models beat the majority vote, and which are not shown to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from multirm.tables.accuracy import Selection
from multirm.tables.headline import Verdict

Row = Mapping[str, Any]


def headline_sentences(rows: Sequence[Row], labels: Mapping[str, str]) -> list[str]:
    """What one dataset's headline table says: a sentence or more for each selection, and what the numbers are.

    Args:
        labels: what to call each model.
    """
    if rows and all(row["n"] == 1 for row in rows):
        return ["With one solution for each question, there is nothing to select."]
    selections = dict.fromkeys(row["selection"] for row in rows)
    said = [
        " ".join(_of_selection([row for row in rows if row["selection"] == selection], labels))
        for selection in selections
    ]
    if any(row["p_holm"] is not None for row in rows):
        said.append(
            f"Differences in points, with 95 % intervals; p-values are corrected for {rows[0]['n_tests']} comparisons."
        )
    return said


def _of_selection(rows: Sequence[Row], labels: Mapping[str, str]) -> Iterator[str]:
    """Sentences about one selection."""
    models = [row["model"] for row in rows]

    def each(verdict: Verdict) -> list[str]:
        return [
            f"{_name(row, labels, models)} ({_numbers(row)})"
            for row in rows
            if row["verdict"] == verdict
        ]

    is_best = rows[0]["selection"] == Selection.BEST_OF_N
    lead = f"{'Selecting the best' if is_best else 'In a weighted vote'} of {rows[0]['n']}"
    better, worse = each(Verdict.BETTER), each(Verdict.WORSE)
    unclear, untested = each(Verdict.NOT_SHOWN), each(Verdict.UNTESTED)
    if better:
        beat = "beat" if len(better) > 1 else "beats"
        yield f"{lead}, {_and(better)} {beat} the majority vote."
    else:
        yield f"{lead}, no reward model is shown to beat the majority vote."
    if unclear:
        is_ = "are" if len(unclear) > 1 else "is"
        yield f"{_and(unclear)} {is_} not shown to beat it or to fall behind."
    if worse:
        fall = "fall" if len(worse) > 1 else "falls"
        yield f"{_and(worse)} {fall} behind it."
    if untested:
        yield f"Not tested: {_and(untested)}."


def _name(row: Row, labels: Mapping[str, str], models: Sequence[str]) -> str:
    label = labels.get(row["model"], row["model"])
    return f"{label} {row['aggregation']}" if models.count(row["model"]) > 1 else label


def _numbers(row: Row) -> str:
    """A difference with its interval and p-value: `+9.1 [2.3, 15.8], p = 0.06`."""
    text = f"{row['difference']:+z.1f}"
    if row["difference_low"] is not None:
        text += f" [{row['difference_low']:z.1f}, {row['difference_high']:z.1f}]"
    if row["p_holm"] is not None:
        text += f", {shown_p(row['p_holm'])}"
    return text


def shown_p(p: float) -> str:
    """A p-value for readers: `p = 0.06`, to two digits."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _and(parts: Sequence[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last
