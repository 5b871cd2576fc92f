"""Reward models: their kinds, their training runs, and the known facts about each."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.schema import Row, Schema, column, is_refused, list_of


class Kind(StrEnum):
    """The four kinds of reward model, discriminative or generative × outcome or process, and pairwise ones."""

    DORM = "dORM"
    DPRM = "dPRM"
    GORM = "gORM"
    GPRM = "gPRM"
    PAIRWISE = "pairwise"
    """Trained on pairs of solutions or of their beginnings (OpenPRM): a score after each step, without bounds."""

    @property
    def is_generative(self) -> bool:
        return self in (Kind.GORM, Kind.GPRM)

    @property
    def is_process(self) -> bool:
        return self in (Kind.DPRM, Kind.GPRM)


class FormatName(StrEnum):
    """Ways to format a solution for a reward model, and to read its rewards."""

    MULTI_RM = "multi_rm"
    VERSA_PRM = "versa_prm"
    MATH_SHEPHERD = "math_shepherd"
    MATH_PSA = "math_psa"
    RLHFLOW = "rlhflow"
    FOVER = "fover"
    QWEN_PRM = "qwen_prm"
    REASONFLUX_PRM = "reasonflux_prm"
    TRL = "trl"
    PURE = "pure"
    SKYWORK_O1 = "skywork_o1"
    REASON_EVAL = "reason_eval"
    CLASSIFIER = "classifier"
    CLASSIFIER_STEPS = "classifier_steps"
    PAIRWISE = "pairwise"
    EURUS_PRM = "eurus_prm"
    THINK_PRM = "think_prm"
    R_PRM = "r_prm"


def run_name(model: str, seed: int) -> str:
    """The name of a training run with another seed than the study's first."""
    return f"{model}@{seed}"


def mean_name(model: str) -> str:
    """The name of the mean over a reward model's training runs, in place of a run's name."""
    return f"{model}@mean"


def _check_closed_sets(row: Row) -> tuple[str, str] | None:
    kind, format_ = row["kind"], row["format"]
    if kind is not None and is_refused(lambda: Kind(kind)):
        return "a kind, such as dPRM, or null", shown(kind)
    if format_ is not None and is_refused(lambda: FormatName(format_)):
        return "a format, such as multi_rm, or null", shown(format_)
    return None


REWARD_MODELS = Schema(
    "reward_models",
    3,
    pa.schema(
        [
            column("dataset", pa.string()),
            # As in tables of rewards and accuracies.
            column("model", pa.string()),
            # The reward model that this is a training run of, or the mean over all its runs: equal to
            # `model` if it was trained once, or elsewhere.
            column("run_of", pa.string()),
            column("is_mean", pa.bool_()),
            # A Kind.
            column("kind", pa.string(), nullable=True),
            # Null if the model was trained elsewhere; the seed of a mean is null, too.
            column("backbone", pa.string(), nullable=True),
            column("seed", pa.int64(), nullable=True),
            # Datasets with the solutions it was trained on, and the name of their critique set.
            column("learned_from", list_of(pa.string()), nullable=True),
            # The categories of those datasets that it was trained on.
            column("training_categories", list_of(pa.string()), nullable=True),
            # Label noise that derived datasets add: the share of noisy solutions, and the probability that a step
            # label of a noisy solution is flipped. Null if unknown, added twice, or if outcomes are flipped too.
            column("noise_share", pa.float64(), nullable=True),
            column("step_noise", pa.float64(), nullable=True),
            # The first reward model of the study that differs from this one in label noise alone, or this one. Null if
            # the model was trained elsewhere.
            column("noise_baseline", pa.string(), nullable=True),
            column("critiques", pa.string(), nullable=True),
            # A FormatName.
            column("format", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "model"),
    _check_closed_sets,
    older={1: ("training_categories", "noise_baseline"), 2: ("noise_baseline",)},
)
