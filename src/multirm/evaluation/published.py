"""Accuracies in the wide CSV of the published results: a row per N and method, columns per category."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multirm.vocabulary import OVERALL, Selection

MAJORITY_VOTE_NAME = "MV"
PASS_NAME = "Pass@N"


def wide_csv(rows: Sequence[Mapping[str, Any]], selection: Selection) -> str:
    """The rows of an accuracy table that belong to `selection`, the majority vote and the ceiling.

    `Overall_std` is the population deviation over all pairs of a category and a run, as published.
    It mixes the spread between categories with that between runs; the accuracy table has the latter.
    """
    categories = list(dict.fromkeys(row["category"] for row in rows if row["category"] != OVERALL))
    cells = {
        (row["n"], _method_name(row), row["category"]): row
        for row in rows
        if row["selection"] in (selection, Selection.MAJORITY_VOTE, Selection.PASS)
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [OVERALL, *categories]
    means, deviations = [f"{name}_mean" for name in names], [f"{name}_std" for name in names]
    writer.writerow(["N", "Method", *means, *deviations])
    for n, method in dict.fromkeys((n, method) for n, method, _ in cells):
        mean = [cells[n, method, category]["accuracy_mean"] for category in categories]
        std = [cells[n, method, category]["accuracy_std"] for category in categories]
        # Every category has as many runs, so the variance of all is that within plus that between.
        overall_std = float(np.sqrt(np.mean(np.square(std)) + np.var(mean)))
        writer.writerow([n, method, float(np.mean(mean)), *mean, overall_std, *std])
    return text.getvalue()


def _method_name(row: Mapping[str, Any]) -> str:
    match row["selection"]:
        case Selection.MAJORITY_VOTE:
            return MAJORITY_VOTE_NAME
        case Selection.PASS:
            return PASS_NAME
        case _:
            return str(row["model"])
