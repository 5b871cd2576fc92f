"""Answers in one spelling each, so that SQL compares them: a view over solutions as they are written."""

import duckdb
import pyarrow as pa

from multirm.text.answer_rules import AnswerRule
from multirm.text.answers import answer_form, spell

# Of answers to questions without a reference answer nobody asks what they mean.
_PAIRS = "SELECT DISTINCT answer, parsed_answer FROM {source}"

_SPELLED = """
    SELECT
        source.* REPLACE (
            spellings.reference AS answer,
            spellings.said AS parsed_answer
        ),
        spellings.other_form
    FROM {source} AS source JOIN spellings
        ON source.answer IS NOT DISTINCT FROM spellings.answer
        AND source.parsed_answer IS NOT DISTINCT FROM spellings.parsed_answer
"""

_AS_WRITTEN = "SELECT *, NULL::BOOLEAN AS other_form FROM {source}"

_COLUMNS = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("answer", "parsed_answer", "reference", "said")),
        pa.field("other_form", pa.bool_()),
    ]
)


def spell_answers(
    database: duckdb.DuckDBPyConnection, source: str, view: str, rule: AnswerRule | None
) -> None:
    """Make a view of solutions in which answers are equal strings if they are the same by a rule.

    The column `other_form` says whether a parsed answer is something else than its reference, a text where
    that is a number; it is null where the rule does not tell.

    Args:
        source: the solutions with their answers as they are written.
        view: the name of the view.
        rule: when answers are the same; None leaves them as they are written.
    """
    if rule is None:
        database.execute(f"CREATE VIEW {view} AS {_AS_WRITTEN.format(source=source)}")
        return
    pairs = database.execute(_PAIRS.format(source=source)).fetchall()
    rows = [_spelled(answer, parsed, rule) for answer, parsed in pairs]
    database.register("spellings", pa.Table.from_pylist(rows, schema=_COLUMNS))
    database.execute(f"CREATE VIEW {view} AS {_SPELLED.format(source=source)}")


def _spelled(answer: str | None, parsed: str | None, rule: AnswerRule) -> dict[str, object]:
    row: dict[str, object] = {"answer": answer, "parsed_answer": parsed}
    if answer is None or rule is AnswerRule.STRICT:
        said = None if parsed is None else parsed.strip()
        reference = None if answer is None else answer.strip()
        return {**row, "reference": reference, "said": said, "other_form": None}
    form = answer_form(answer)
    reference = spell(answer, form).text
    if parsed is None:
        return {**row, "reference": reference, "said": None, "other_form": False}
    spelled = spell(parsed, form)
    return {
        **row,
        "reference": reference,
        "said": spelled.text,
        "other_form": not spelled.of_form,
    }
