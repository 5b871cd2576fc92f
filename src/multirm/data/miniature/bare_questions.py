"""Entry point `generate_questions`: the miniature's questions without solutions, for policies that write their own."""

from multirm.data.miniature.open_questions import without_options
from multirm.data.miniature.questions import draw_questions, question_row
from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import Count, Seed
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS, Split


@entry
def generate_questions(
    category: str,
    dataset: str,
    split: Split,
    questions: Count,
    output: OutputFile,
    seed: Seed = 42,
    *,
    open_questions: bool = False,
) -> None:
    """Write the questions of one category of the miniature, as `generate_miniature` does for the same seed.

    Args:
        category: business, chemistry, computer_science or history.
        dataset: dataset name for the rows.
        split: splits share no questions.
        questions: number of questions.
        output: questions table.
        seed: seed of the study.
        open_questions: leave the options out; answers are then their texts instead of letters.

    Raises:
        InputError: there is no such category, or it has fewer questions.
    """
    drawn = draw_questions(category, split, questions, seed)
    rows = [
        question_row(dataset, category, split, index, question)
        for index, question in enumerate(drawn)
    ]
    parameters = {
        "category": category,
        "dataset": dataset,
        "split": split,
        "questions": questions,
        "seed": seed,
    }
    if open_questions:
        options = {row["question_id"]: row["options"] for row in rows}
        rows = [without_options(row, options) for row in rows]
        parameters["open_questions"] = True
    parquet.write(output, QUESTIONS, rows, origin_of(__name__, parameters, []))
