"""Which figures `all` has. A new one is a module of `multirm.figures` and an entry here."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from multirm.study.display_items import DisplayItem
from multirm.study.evaluations import compares_domains, compares_right_and_wrong, missing_tables
from multirm.tables.accuracy import Estimator

if TYPE_CHECKING:
    from multirm.study.study import Study

FORMATS = ("svg", "pdf", "png", "html")


@dataclass(frozen=True)
class Figure(DisplayItem):
    """How a figure of each dataset, or of all datasets of a study together, is drawn.

    Attributes:
        topic: where a report lists the figure.
        tables: what it is drawn from, in results/evaluation/{dataset}: each is an option of the command.
        of_study: whether it shows all datasets that the study evaluates on, and has the study's name.
        is_drawn: whether a study has what it shows.
        words: the command's other options, in a study.
        was_renamed: whether a link has the name that it had before: {dataset}_{figure}.
        of: the datasets of which it is drawn; by default, those that the study evaluates and that have its tables.
        common_tables: further tables that it is drawn from, in results/evaluation: the same for all datasets.
        report_tables: further tables that it is drawn from: tables for readers of the study, in results/tables.
        protocol: the published protocol whose accuracies are drawn instead of ours.
    """

    package = "figures"
    verb = "draw"

    topic: str
    tables: tuple[str, ...]
    words: Callable[["Study"], list[str]] = lambda _: []
    of_study: bool = False
    is_drawn: Callable[["Study"], bool] = lambda _: True
    was_renamed: bool = False
    of: Callable[["Study"], list[str]] | None = None
    common_tables: tuple[str, ...] = ()
    report_tables: tuple[str, ...] = ()
    protocol: Estimator | None = None

    @property
    def every_table(self) -> tuple[str, ...]:
        """All tables that it is drawn from."""
        return self.tables + self.common_tables + self.report_tables


def _ceiling(study: "Study") -> list[str]:
    return ["--ceiling"] if study.figures.ceiling else []


def _accuracy_grid(selection: str) -> Figure:
    return Figure(
        "accuracy_grid",
        "Draw accuracy against N per category.",
        "Accuracy",
        ("accuracy", "reward_models"),
        lambda study: [f"--selection {selection}", *_ceiling(study)],
        was_renamed=True,
    )


def _openprm() -> Figure:
    return replace(
        _accuracy_grid("best_of_n"),
        was_renamed=False,
        protocol=Estimator.OPENPRM,
        is_drawn=lambda study: Estimator.OPENPRM in study.evaluation.protocols,
    )


def _datasets_grid(selection: str) -> Figure:
    return Figure(
        "datasets_grid",
        "Draw overall accuracy against N on several datasets.",
        "Accuracy",
        ("accuracy", "reward_models"),
        lambda study: [f"--selection {selection}", *_ceiling(study)],
        of_study=True,
        is_drawn=lambda study: sum(map(study.has_answers, study.evaluation.datasets)) > 1,
    )


def _noise_grid(selection: str) -> Figure:
    return Figure(
        "noise_grid",
        "Draw accuracy by the label noise that process reward models were trained with.",
        "Label noise",
        ("accuracy", "reward_models"),
        lambda _: [f"--selection {selection}"],
        is_drawn=_trains_on_noise,
    )


def _gains(selection: str) -> Figure:
    return Figure(
        "gains",
        "Draw gains over the majority vote, overall, in groups of categories and in categories.",
        "Comparisons",
        ("comparisons", "category_groups", "reward_models"),
        lambda _: [f"--selection {selection}"],
        is_drawn=lambda study: bool(study.evaluation.category_groups and study.runs),
    )


def _trains(study: "Study") -> bool:
    """Whether a reward model is trained here."""
    return any(run.is_trained for run in study.runs.values())


def _trains_on_noise(study: "Study") -> bool:
    """Whether a process reward model learns from step labels with a known amount of noise."""
    trained = [name for name, run in study.runs.items() if run.is_trained and run.kind.is_process]
    learned = (dataset for name in trained for dataset in study.training_datasets_of(name))
    return any(share and steps for share, steps in map(study.noise_of, learned))


def _trains_on_variants(study: "Study") -> bool:
    """Whether a reward model learns from variants of solutions, whose steps a language model wrote anew."""
    trained = [name for name, run in study.runs.items() if run.is_trained]
    learned = (dataset for name in trained for dataset in study.training_datasets_of(name))
    return any(map(study.has_variants, learned))


def _compares_right_and_wrong(study: "Study") -> bool:
    """Whether a dataset that the study evaluates has solutions with known first errors to compare."""
    return any(compares_right_and_wrong(study, name) for name in study.evaluation.datasets)


def _continued(study: "Study") -> list[str]:
    """The datasets with Monte-Carlo labels; of those that nothing uses, no figures are made."""
    return [name for name in study.datasets if study.is_continued(name)]


FIGURES = {
    "best_of_n": _accuracy_grid("best_of_n"),
    "weighted_vote": _accuracy_grid("weighted_vote"),
    "openprm_best_of_n": _openprm(),
    "datasets_best_of_n": _datasets_grid("best_of_n"),
    "datasets_weighted_vote": _datasets_grid("weighted_vote"),
    "accuracy_by_cost": Figure(
        "accuracy_by_cost",
        "Draw accuracy against the cost of verification.",
        "Accuracy",
        ("costs", "reward_models"),
    ),
    "noise_best_of_n": _noise_grid("best_of_n"),
    "noise_weighted_vote": _noise_grid("weighted_vote"),
    "domains": Figure(
        "domains",
        "Draw what training on several categories gains over training on one.",
        "Domains",
        ("domains", "reward_models"),
        is_drawn=compares_domains,
    ),
    "shuffled": Figure(
        "shuffled",
        "Draw accuracy with steps as written and with shuffled steps.",
        "Solutions",
        ("accuracy", "changes", "reward_models"),
        of_study=True,
        is_drawn=lambda study: bool(study.shuffled_from()),
    ),
    "f1_by_length": Figure(
        "f1_by_length",
        "Draw F1 against the number of steps.",
        "Solutions",
        ("lengths", "solution_groups", "reward_models"),
    ),
    "gain_by_length": Figure(
        "gain_by_length",
        "Draw the gain over the majority vote against the length of solutions.",
        "Solutions",
        ("comparisons", "solution_groups", "length_correlations", "reward_models"),
    ),
    "recoveries": Figure(
        "recoveries",
        "Draw how common recoveries are, and which reward models accept them.",
        "Solutions",
        ("solution_groups", "recoveries", "reward_models"),
    ),
    "log_errors": Figure(
        "log_errors",
        "Draw errors of rewards by number of steps, simulated and measured.",
        "Solutions",
        ("log_errors", "log_error_slopes", "reward_models"),
        common_tables=("log_error_simulation",),
    ),
    "error_depths": Figure(
        "error_depths",
        "Draw how rewards tell right from wrong solutions by where the first error is.",
        "Solutions",
        ("error_depths", "error_persistence", "reward_models"),
        is_drawn=_compares_right_and_wrong,
    ),
    "win_loss": Figure(
        "win_loss",
        "Draw which method beats which.",
        "Comparisons",
        ("comparisons", "solution_groups", "reward_models"),
    ),
    "gains_best_of_n": _gains("best_of_n"),
    "gains_weighted_vote": _gains("weighted_vote"),
    "agreement": Figure(
        "agreement",
        "Draw which methods answer the same questions correctly.",
        "Comparisons",
        ("agreement", "reward_models"),
    ),
    "length_densities": Figure(
        "length_densities",
        "Draw how many steps solutions have that are evaluated, trained on and kept by filtering.",
        "Length",
        ("step_counts",),
        is_drawn=_trains,
    ),
    "gain_by_distance": Figure(
        "gain_by_distance",
        "Draw gain over the majority vote against the shift of length.",
        "Length",
        ("length_shift", "comparisons", "solution_groups", "reward_models"),
        is_drawn=_trains,
    ),
    "augmented_steps": Figure(
        "augmented_steps",
        "Draw where in solutions a language model wrote steps anew, by type of error.",
        "Solutions",
        (),
        of_study=True,
        is_drawn=_trains_on_variants,
        report_tables=("augmentation_counts",),
    ),
    "outcome_f1": Figure(
        "outcome_f1",
        "Draw outcome F1 per category.",
        "Verification",
        ("thresholds", "reward_models"),
    ),
    "f1_by_critiques": Figure(
        "f1_by_critiques",
        "Draw outcome F1 against the number of critiques.",
        "Verification",
        ("f1_by_critiques", "thresholds", "reward_models"),
    ),
    "step_verification": Figure(
        "step_verification",
        "Draw how well rewards separate correct from incorrect steps, beside the length of steps.",
        "Verification",
        ("step_verification", "verification", "reward_models"),
    ),
    "process_bench": Figure(
        "process_bench",
        "Draw ProcessBench's F1 per category and by threshold.",
        "Verification",
        ("step_thresholds", "reward_models"),
    ),
    "calibration": Figure(
        "calibration",
        "Draw how many solutions with a reward are correct.",
        "Verification",
        ("reliability", "reward_models"),
    ),
    "minimum_position": Figure(
        "minimum_position",
        "Draw how often the last step has the lowest reward.",
        "Verification",
        ("minimum_positions", "reward_models"),
    ),
    "label_agreement": Figure(
        "label_agreement",
        "Draw how step labels of several sources agree with known ones.",
        "Step labels",
        ("label_agreement",),
        of=lambda study: study.evaluation.step_labels,
        is_drawn=lambda study: bool(study.evaluation.step_labels),
    ),
    "continuation_shares": Figure(
        "continuation_shares",
        "Draw Monte-Carlo labels against what guessing gives.",
        "Step labels",
        ("continuation_shares",),
        of=_continued,
        is_drawn=lambda study: bool(_continued(study)),
    ),
    "legend": Figure(
        "legend",
        "Draw the legend of figures on its own.",
        "Legends",
        ("accuracy", "reward_models"),
        _ceiling,
    ),
}
"""The figures by the names of their folders in results/figures."""


def figures_of(study: "Study") -> dict[str, Figure]:
    """The figures that a study has what they show for."""
    return {name: figure for name, figure in FIGURES.items() if figure.is_drawn(study)}


def drawn_of(study: "Study", figure: Figure) -> list[str]:
    """What a figure is drawn of: datasets, or the study."""
    if figure.of_study:
        return [study.study]
    return figure.of(study) if figure.of else datasets_of(study, *figure.tables)


def datasets_of(study: "Study", *tables: str) -> list[str]:
    """The datasets that a study evaluates and that have all of some tables."""
    return [
        dataset
        for dataset in study.evaluation.datasets
        if missing_tables(study, dataset).isdisjoint(tables)
    ]
