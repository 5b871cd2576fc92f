"""A view over solutions with answers in canonical spelling, so that SQL can compare them."""

import duckdb
import pyarrow as pa

from multirm.text.answer_rules import AnswerRule
from multirm.text.answers import answer_form, spell

# Answers to questions without a reference answer are not interpreted.
_PAIRS = "SELECT DISTINCT answer, parsed_answer FROM {source}"

_SPELLED = """
    SELECT
        source.* REPLACE (
            spellings.reference AS answer,
            spellings.parsed AS parsed_answer
        ),
        spellings.other_form
    FROM {source} AS source JOIN spellings
        ON source.answer IS NOT DISTINCT FROM spellings.answer
        AND source.parsed_answer IS NOT DISTINCT FROM spellings.parsed_answer
"""

_AS_WRITTEN = "SELECT *, NULL::BOOLEAN AS other_form FROM {source}"

_COLUMNS = pa.schema(
    [
        *(
            pa.field(name, pa.string())
            for name in ("answer", "parsed_answer", "reference", "parsed")
        ),
        pa.field("other_form", pa.bool_()),
    ]
)


def spell_answers(
    database: duckdb.DuckDBPyConnection, source: str, view: str, rule: AnswerRule | None
) -> None:
    """Create a view of solutions in which answers are equal strings if they are equal by a rule.

    The column `other_form` says whether a parsed answer has another format than its reference, such as text instead of
    a number; it is null if the rule does not check this.

    Args:
        source: the solutions with answers as written.
        view: the name of the view.
        rule: when answers are equal; None leaves them as written.
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
        stripped = None if parsed is None else parsed.strip()
        reference = None if answer is None else answer.strip()
        return {**row, "reference": reference, "parsed": stripped, "other_form": None}
    form = answer_form(answer)
    reference = spell(answer, form).text
    if parsed is None:
        return {**row, "reference": reference, "parsed": None, "other_form": False}
    spelled = spell(parsed, form)
    return {
        **row,
        "reference": reference,
        "parsed": spelled.text,
        "other_form": not spelled.of_form,
    }
