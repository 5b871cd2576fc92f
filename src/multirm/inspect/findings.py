"""What a command has made, printed at its end: what an evaluation found, where its tables are, and what to do next."""

import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm.errors import escaped
from multirm.inspect.summary import summarise
from multirm.running.usage import as_started
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, Estimator
from multirm.tables.headline import HEADLINE
from multirm.tables.views import parquet_files


def print_findings(arguments: Mapping[str, Any]) -> None:
    """Print what `multirm evaluate` has found.

    Args:
        arguments: of the command, which has written its tables.
    """
    options = arguments["options"]
    estimator = arguments.get("estimator", Estimator.EXACT)
    rewards = [pair.partition("=")[2] for pair in options.rewards or ()]
    read = [*options.solutions, *rewards, *(options.samples or ())]
    lines = findings(arguments["output"], estimator, options.reward_models, read)
    sys.stdout.writelines(f"{escaped(line)}\n" for line in lines)


def print_page(arguments: Mapping[str, Any]) -> None:
    """Print where `multirm report` has written its page."""
    page = str(arguments["output"])
    sys.stdout.write(f"{escaped(page)} is written: open it in a browser\n")


def findings(
    folder: Path, estimator: Estimator, reward_models: Path | None, read: Sequence[str] = ()
) -> list[str]:
    """The summary of an evaluation's tables, their names, and commands that show more of them.

    Args:
        folder: what the evaluation has written; other evaluations may have written there as well.
        reward_models: the table of reward models that it was given, if any.
        read: where its solutions, rewards and samples are; a page shows those that are tables.
    """
    is_exact, over_seeds = estimator is Estimator.EXACT, estimator is Estimator.VERSAPRM
    lines: list[str] = []
    if not over_seeds:
        accuracy = parquet.read(folder / "accuracy.parquet", ACCURACY)
        answers = parquet.read(folder / "headline.parquet", HEADLINE) if is_exact else None
        parts = summarise(accuracy, [reward_models] if reward_models else [], answers)
        lines = [line for part in parts for line in part.split("\n")] + [""]
    sql = _AGAINST_THE_VOTE if is_exact else _OVER_SEEDS if over_seeds else _ACCURACIES
    place, program = shlex.quote(str(folder)), as_started()
    lines += [
        f"The tables are in {place}. To see more:",
        f'  {program} query --results {place} "{sql}"',
    ]
    # A page needs accuracies with one estimate each.
    if not over_seeds:
        page = shlex.quote(str(folder / "report.html"))
        tables = shlex.join(_in_few_words([place for place in read if place and _is_table(place)]))
        beside = f" --tables {tables}" if tables else ""
        lines.append(f"  {program} report {place}{beside} --output {page}")
    return lines


def _in_few_words(places: Sequence[str]) -> list[str]:
    """Tables by the folder that they share with two or more others; a command of dozens of paths cannot be read."""
    folders = Counter(str(Path(place).parent) for place in {*places})
    named = (str(Path(place).parent) for place in places)
    pairs = zip(named, places, strict=True)
    return list(dict.fromkeys(f if folders[f] > 2 else place for f, place in pairs))


# What fits into a terminal of 80 columns.
_AGAINST_THE_VOTE = (
    "SELECT selection, model, aggregation, n, difference, p_holm FROM comparisons"
    " WHERE category = 'Overall' AND other_selection = 'majority_vote'"
)
_ACCURACIES = (
    "SELECT selection, model, aggregation, n, accuracy FROM accuracy WHERE category = 'Overall'"
)
_OVER_SEEDS = "FROM accuracy_over_seeds"


def _is_table(place: str) -> bool:
    """Whether a place is a table that records what it is, or a folder with such tables."""
    path = Path(place)
    files = parquet_files(path) if path.is_dir() else [path] if path.is_file() else []
    return any(file.suffix == ".parquet" and parquet.find_footer(file) for file in files)
