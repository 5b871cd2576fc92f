"""What an evaluation has found, printed at its end: accuracies, where the tables are, and what to do next."""

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multirm.errors import escaped
from multirm.inspect.summary import summarise
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, Estimator
from multirm.tables.headline import HEADLINE


def print_findings(arguments: Mapping[str, Any]) -> None:
    """Print what `multirm evaluate` has found.

    Args:
        arguments: of the command, which has written its tables.
    """
    models = getattr(arguments["options"], "reward_models", None)
    estimator = arguments.get("estimator", Estimator.EXACT)
    lines = findings(arguments["output"], estimator, models)
    sys.stdout.writelines(f"{escaped(line)}\n" for line in lines)


def findings(folder: Path, estimator: Estimator, reward_models: Path | None) -> list[str]:
    """The summary of an evaluation's tables, their names, and commands that show more of them.

    Args:
        folder: what the evaluation has written; other evaluations may have written there as well.
        reward_models: the table of reward models that it was given, if any.
    """
    is_exact, over_seeds = estimator is Estimator.EXACT, estimator is Estimator.VERSAPRM
    lines: list[str] = []
    if not over_seeds:
        accuracy = parquet.read(folder / "accuracy.parquet", ACCURACY)
        answers = parquet.read(folder / "headline.parquet", HEADLINE) if is_exact else None
        parts = summarise(accuracy, [reward_models] if reward_models else [], answers)
        lines = [line for part in parts for line in part.split("\n")] + [""]
    view = "comparisons" if is_exact else "accuracy_over_seeds" if over_seeds else "accuracy"
    place, program = shlex.quote(str(folder)), as_started()
    lines += [
        f"The tables are in {place}. To see more:",
        f'  {program} query --results {place} "FROM {view}"',
    ]
    # A page needs accuracies with one estimate each.
    if not over_seeds:
        page = shlex.quote(str(folder / "report.html"))
        lines.append(f"  {program} report {place} --output {page}")
    return lines


def as_started() -> str:
    """How this program is typed: its name alone only if the shell finds it."""
    program = Path(sys.argv[0])
    if program.name != "multirm":
        return "python -m multirm"
    found = shutil.which("multirm")
    is_found = found is not None and program.exists() and program.samefile(found)
    return "multirm" if is_found else shlex.quote(str(program))
