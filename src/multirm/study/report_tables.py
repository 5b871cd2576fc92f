"""Which tables for readers `all` has. A new one is a module of `multirm.report`, an entry here and its inputs in
`study.report_files`."""

from dataclasses import dataclass

from multirm.study.display_items import DisplayItem

FORMATS = ("parquet", "tex", "md", "csv")


@dataclass(frozen=True)
class ReportTable(DisplayItem):
    """How a table for readers is made, of each dataset or of the study.

    Attributes:
        inputs: what it is made from: each is an option of the command.
        of_study: whether there is one for the whole study, with its name.
    """

    package = "report"
    verb = "tabulate"

    inputs: tuple[str, ...]
    of_study: bool = True


REPORT_TABLES = {
    "dataset_statistics": ReportTable(
        "dataset_statistics",
        "Count each dataset's questions, solutions, steps and labels.",
        ("solutions",),
    ),
    "hyper_parameters": ReportTable(
        "hyper_parameters",
        "List the settings that reward models were trained and scored with.",
        ("models", "curves", "examples", "rewards"),
    ),
    "filtering": ReportTable(
        "filtering",
        "Count the critiques that filtering kept, and left out for each reason.",
        ("checks",),
    ),
    "reply_counts": ReportTable(
        "reply_counts",
        "Count the replies of policies and judges that could be used, and the others for each reason.",
        ("samples", "judgements"),
    ),
    "augmentation_counts": ReportTable(
        "augmentation_counts",
        "Count replies to requests for new steps, by type of error and by position.",
        ("augmentations",),
    ),
    "rewards": ReportTable(
        "reward_table",
        "Tabulate accuracy per category and reward model, with intervals and marks of significance.",
        ("accuracy", "comparisons", "reward_models"),
        of_study=False,
    ),
    "gains": ReportTable(
        "gain_table",
        "Tabulate gains over the majority vote, overall, in groups of categories and in categories.",
        ("comparisons", "category_groups", "reward_models"),
        of_study=False,
    ),
}
"""The tables for readers by the names of their folders in results/tables."""
