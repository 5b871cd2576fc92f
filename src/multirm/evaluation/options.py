"""The options that commands of evaluation share."""

from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

from multirm.formats.own.options import OwnOptions
from multirm.running.arguments import Place
from multirm.running.numbers import Count, Runs, Seed
from multirm.text.answer_rules import AnswerRule


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """One dataset's solutions and rewards, and how they are read.

    Attributes:
        solutions: PATHs of one dataset's solutions. A PATH is a table, a folder of tables, a folder in Multi-RM's
            layout (`{category}.json`, `{category}_reward.json`), or a hub name. Categories are reported in this order.
            Or files with any columns, as for `multirm import`: .csv, .jsonl, .parquet and others.
        rewards: MODEL=PATH, such as `dPRM=rewards/dPRM`; a model may have several PATHs. Rewards and solutions must
            match one to one. With files of your own, MODEL=COLUMN, MODEL=FILE or MODEL=FILE:COLUMN.
        aggregation: MODEL=AGGREGATION for each model, such as `dPRM=min`, or several as in
            `dPRM=min,mean`. Models are reported in this order.
        unit: What one reward of a model is about (MODEL=step, MODEL=critique or MODEL=solution), if its tables
            have no column `unit`; without MODEL=, for all models. Selections do not need it.
        scale: What kind of number a reward of a model is (MODEL=probability or MODEL=score), likewise. Scores are
            unbounded, and vote with their softmax over the pool.
        answers: When two answers are equal: if they mean the same (`meaning`: `(c)` and `C`, `1/2` and `0.5`), or
            only if they are the same text (`strict`). With `graded`, a solution is correct if its outcome label says
            so, such as a grading given to `multirm import`, and answers that mean the same have the same label.
        reward_models: Table of reward models, as written by `describe-reward-models`. Without it, `dPRM` and
            `dPRM@43` count as two runs of one model, and their mean is called `dPRM@mean`.
    """

    solutions: list[Place]
    rewards: list[Place] | None = None
    aggregation: list[str] | None = None
    unit: list[str] | None = None
    scale: list[str] | None = None
    answers: AnswerRule = AnswerRule.MEANING
    reward_models: Path | None = None


@dataclass(frozen=True, kw_only=True)
class InputOptions(OwnOptions, TableOptions):
    """The inputs of an evaluation: tables, or files with any columns."""


@dataclass(frozen=True, kw_only=True)
class PoolOptions(InputOptions):
    """The inputs of commands that select answers from pools.

    Attributes:
        samples: PATHs of the tables of samples that `sample-solutions` wrote beside the solutions. Samples that were
            cut off or have no answer are then part of their pools, where they are wrong, as are questions with no other
            samples. Without the tables, accuracies are those of samples that have an answer.
    """

    samples: list[Place] | None = None


@dataclass(frozen=True, kw_only=True)
class SubsetOptions:
    """The subsets of pools that answers are selected from.

    Attributes:
        n: Sizes of the subsets to select from; by default 1, 2, 4, 8 and 16.
        runs: Number of random subsets per question and size, where subsets are drawn.
        seed: Seed of everything drawn: subsets, and random signs in tests.
    """

    n: list[Count] | None = None
    runs: Runs = 100
    seed: Seed = 42


@dataclass(frozen=True, kw_only=True)
class SelectionOptions(SubsetOptions, PoolOptions):
    """The inputs, and the subsets of pools that answers are selected from."""
