"""How well rewards separate correct solutions, and correct steps, from incorrect ones."""

import pyarrow as pa

from multirm.tables.schema import Renewal, Schema, column

_OF_SCORER = [
    column("dataset", pa.string()),
    column("category", pa.string()),
    column("model", pa.string()),
    column("aggregation", pa.string()),
]


def _measures(*names: str) -> list[pa.Field]:
    """Measures from 0 to 1 with 95 % intervals over questions; null if undefined."""
    return [
        column(measure, pa.float64(), nullable=True)
        for name in names
        for measure in (name, f"{name}_low", f"{name}_high")
    ]


# Models are reward models and, last in a category, the stand-in `shorter`, which version 2 lacked.
VERIFICATION = Schema(
    "verification",
    4,
    pa.schema(
        [
            *_OF_SCORER,
            *(
                column(name, pa.int32())
                for name in ("n_questions", "n_scored", "n_missing", "n_correct")
            ),
            *_measures(
                *("precision", "recall", "specificity", "f1"),
                *("roc_auc", "pr_auc", "brier", "ece"),
            ),
            # The expected calibration error if rewards were perfectly calibrated, and one corrected for bias.
            column("ece_null", pa.float64(), nullable=True),
            column("ece_debiased", pa.float64(), nullable=True),
            # Pairs of a right and a wrong solution to one question, and the share of them in which the right one has
            # the higher reward, ties counted as a half.
            column("n_pairs", pa.int32(), nullable=True),
            *_measures("pair_accuracy"),
            # Which measures have an interval based on one question.
            column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "model", "aggregation"),
    older=dict.fromkeys(
        (2, 3), ("n_pairs", "pair_accuracy", "pair_accuracy_low", "pair_accuracy_high")
    ),
)


# The category Overall holds all solutions together, which version 2 lacked.
RELIABILITY = Schema(
    "reliability",
    4,
    pa.schema(
        [
            *_OF_SCORER,
            # A bin of rewards: from `reward_low`, up to `reward_high` or, in the last bin, up to 1.
            column("reward_low", pa.float64()),
            column("reward_high", pa.float64()),
            column("count", pa.int32()),
            # Null if the bin is empty, like the 95 % interval of the fraction over questions.
            column("mean_reward", pa.float64(), nullable=True),
            column("share_correct", pa.float64(), nullable=True),
            column("share_correct_low", pa.float64(), nullable=True),
            column("share_correct_high", pa.float64(), nullable=True),
        ]
    ),
    ("dataset", "category", "model", "aggregation", "reward_low"),
    older={2: (), 3: ()},
    renewed=Renewal(
        {
            "low": "reward_low",
            "high": "reward_high",
            "share_low": "share_correct_low",
            "share_high": "share_correct_high",
        }
    ),
)


# Models as in `VERIFICATION`.
STEP_VERIFICATION = Schema(
    "step_verification",
    3,
    pa.schema(
        [
            column("dataset", pa.string()),
            column("category", pa.string()),
            column("model", pa.string()),
            *(
                each
                for part in ("first_error", "all")
                for each in (
                    *(
                        column(f"{part}_{name}", pa.int32())
                        for name in ("n_scored", "n_missing", "n_correct")
                    ),
                    *_measures(*(f"{part}_{name}" for name in ("roc_auc", "pr_auc", "brier"))),
                    column(f"{part}_note", pa.string(), nullable=True),
                )
            ),
            *(
                column(f"process_bench_{name}", pa.int32())
                for name in ("n_erroneous", "n_correct", "n_missing")
            ),
            *_measures(
                *(
                    f"process_bench_{name}"
                    for name in ("accuracy_erroneous", "accuracy_correct", "f1")
                )
            ),
            column("process_bench_note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "model"),
    older={2: ()},
)
