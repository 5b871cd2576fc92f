"""The evaluations of each dataset. A new one is a module of `multirm.evaluation` and an entry here."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multirm.tables.reward_models import Kind

if TYPE_CHECKING:
    from multirm.study.study import Study


@dataclass(frozen=True)
class Evaluating:
    """A command that evaluates a dataset's solutions and rewards.

    Attributes:
        module: its module in `multirm.evaluation`.
        command: its name on the command line.
        tables: the tables that it makes in results/evaluation/{dataset}.
        settings: the study's evaluation settings that it takes, named like its options; empty ones are left out.
        of_groups: the tables that it also makes in studies with groups of categories.
        needs_answers: whether it selects answers; a dataset that only has labels does without it.
        is_made: whether a study, and a dataset that it evaluates, have what it compares.
    """

    module: str
    command: str
    tables: tuple[str, ...]
    settings: tuple[str, ...] = ()
    of_groups: tuple[str, ...] = ()
    needs_answers: bool = True
    is_made: Callable[["Study", str], bool] = lambda *_: True

    def words(self, study: "Study") -> list[str]:
        """The options for the study's settings, with one or several values each."""
        return settings_of(study, *self.settings)

    def tables_of(self, study: "Study") -> tuple[str, ...]:
        """The tables that it makes in a study."""
        return self.tables + (self.of_groups if study.evaluation.category_groups else ())


def settings_of(study: "Study", *names: str) -> list[str]:
    """The options for some of the study's evaluation settings, without those that are empty."""
    known = {**study.evaluation.model_dump(mode="json"), "seed": study.seed}
    return [
        f"--{name.replace('_', '-')} {_values(known[name])}"
        for name in names
        if known[name] not in ([], {})
    ]


def _values(setting: object) -> str:
    if isinstance(setting, dict):
        return " ".join(f"{name}={','.join(values)}" for name, values in setting.items())
    return " ".join(map(str, setting)) if isinstance(setting, list) else str(setting)


def compares_domains(study: "Study") -> bool:
    """Whether reward models of one kind and backbone are trained on several categories, and on one or all but one."""
    found = defaultdict(set)
    for run in study.runs.values():
        if run.is_trained:
            learned_from = tuple(study.training_datasets_of(run.name))
            categories = frozenset(study.training_categories_of(run.name))
            found[run.kind, run.trained.backbone].add((categories, learned_from))
    return any(
        len(every) > 1
        and (len(part) == 1 or (part < every and len(part) == len(every) - 1 and one == other))
        for alike in found.values()
        for every, one in alike
        for part, other in alike
    )


def compares_right_and_wrong(study: "Study", dataset: str) -> bool:
    """Whether solutions with known first errors are compared with right ones.

    They are if the dataset has right solutions and corruptions of them; and in studies with pairwise reward models,
    which learn from outcomes or from processes as well.
    """
    is_pairwise = any(run.kind is Kind.PAIRWISE for run in study.runs.values())
    return is_pairwise or study.has_corruptions(dataset)


_SUBSETS = ("answers", "n", "runs", "seed")

EVALUATIONS = {
    "evaluate": Evaluating(
        "accuracy",
        "evaluate",
        ("accuracy", "comparisons", "headline", "costs", "ledger"),
        (*_SUBSETS, "category_groups"),
        of_groups=("category_groups",),
    ),
    "measure_uncertainty": Evaluating(
        "uncertainty", "measure-uncertainty", ("variance", "critique_counts"), _SUBSETS
    ),
    "evaluate_verification": Evaluating(
        "verification",
        "evaluate-verification",
        (
            *("verification", "reliability", "step_verification"),
            *("thresholds", "step_thresholds", "f1_by_critiques", "minimum_positions"),
        ),
        ("answers", "seed"),
        needs_answers=False,
    ),
    "analyse_solutions": Evaluating(
        "solution_analyses",
        "analyse-solutions",
        ("lengths", "length_correlations", "solution_groups", "recoveries", "agreement"),
        ("answers", "n"),
    ),
    "measure_log_errors": Evaluating(
        "log_errors",
        "measure-log-errors",
        ("log_errors", "log_error_slopes"),
        ("answers",),
        needs_answers=False,
    ),
    "measure_error_depths": Evaluating(
        "error_depths",
        "measure-error-depths",
        ("error_depths", "error_persistence"),
        ("answers",),
        needs_answers=False,
        is_made=compares_right_and_wrong,
    ),
    "compare_domains": Evaluating(
        "domains",
        "compare-domains",
        ("domains",),
        _SUBSETS,
        is_made=lambda study, _: compares_domains(study),
    ),
}
"""The evaluations by rule name."""


def evaluations_of(study: "Study", dataset: str) -> list[Evaluating]:
    """The evaluations of a dataset that a study has."""
    has_answers = study.has_answers(dataset)
    return [
        each
        for each in EVALUATIONS.values()
        if (has_answers or not each.needs_answers) and each.is_made(study, dataset)
    ]


def missing_tables(study: "Study", dataset: str) -> set[str]:
    """The tables of evaluations that a dataset does without."""
    every, own = EVALUATIONS.values(), evaluations_of(study, dataset)
    unchanged = set() if dataset in study.shuffled_from() else {"changes"}
    made = {table for each in own for table in each.tables_of(study)}
    known = {table for each in every for table in each.tables + each.of_groups}
    return unchanged | (known - made)
