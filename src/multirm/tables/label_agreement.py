"""How step labels of different sources agree with labels that are known to be right."""

import pyarrow as pa

from multirm.tables.schema import Schema, column

MEASURES = (
    "first_bad_agreement",
    "agreement_if_good",
    "agreement_if_bad",
    "recall_good",
    "recall_bad",
    "kappa",
    "share_without_bad",
    "known_without_bad",
    "agreement_by_chance",
    "labelled",
)
"""The measures of the table, each with an interval; `LABEL_AGREEMENT` says what they are."""

# Solutions by their first bad step: it is the same if both name the same one, or none. Overall is the average over
# categories. Intervals are 95 % intervals over questions.
LABEL_AGREEMENT = Schema(
    "label_agreement",
    2,
    pa.schema(
        [
            column("dataset", pa.string()),
            column("category", pa.string()),
            # The name of the labels that are compared, such as of a dataset that has them, and their LabelSource.
            column("labels", pa.string()),
            column("source", pa.string()),
            # Solutions with a known first bad step: labelled by the source, and not.
            column("n_labelled", pa.int32()),
            column("n_missing", pa.int32()),
            *(
                column(each, pa.float64(), nullable=True)
                # Of labelled solutions, the share with the same first bad step.
                # `agreement_if_good`: of those without a bad step according to the source; `agreement_if_bad`: of the
                # others (VersaPRM reports these two, by hand: .80 and .71).
                # `recall_good`: the share of solutions without a bad step that the source finds to be so; `recall_bad`:
                # the share of the others for which it names the right step.
                # `kappa`: Cohen's, of whether there is a bad step; from -1 to 1. It is 0 without an interval if either
                # says the same of all solutions.
                # `share_without_bad`: labelled solutions in which the source finds no bad step, right or wrong. Near 1,
                # the source agrees with everything.
                # `known_without_bad`: labelled solutions that are known to have no bad step, which is the agreement of
                # labels that never name one; `agreement_by_chance`: that expected of labels that name each step of a
                # solution, or none, with the same probability.
                # `labelled`: the share of solutions that the source labels at all.
                for name in MEASURES
                for each in (name, f"{name}_low", f"{name}_high")
            ),
            # Why an interval is wide or missing, and which averages leave out categories.
            column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "labels"),
    older={
        1: tuple(
            each
            for name in ("known_without_bad", "agreement_by_chance")
            for each in (name, f"{name}_low", f"{name}_high")
        )
    },
)
