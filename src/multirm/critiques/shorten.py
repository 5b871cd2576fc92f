"""Cut critiques down to the thinking and its verdict."""

import logging
from pathlib import Path

from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.critique_rows import require_critiques, require_generative
from multirm.tables.critiques import CRITIQUES, CritiqueStage
from multirm.tables.reward_models import Kind
from multirm.text.prompts import END_OF_THINKING
from multirm.text.verdicts import conclude, read_critique, verdict_line

logger = logging.getLogger(__name__)


@entry
def shorten_critiques(kind: Kind, critiques: Path, output: OutputFile) -> None:
    """Cut what follows the end of thinking down to the verdicts, in kept critiques.

    What remains is the verdict line and, for gPRM critiques that judge steps after thinking, everything before it
    up to the last step's verdict, because gPRM is trained on those.

    Other rows stay unchanged, so that both tables have the same keys.

    Args:
        kind: gORM or gPRM.
        critiques: table of filtered critiques.
        output: table of the same critiques, shortened.
    """
    require_generative(kind)
    require_critiques(critiques, kind, CritiqueStage.FILTERED)
    rows = parquet.read(critiques, CRITIQUES).to_pylist()
    shortened = [
        {**row, "critique": shorten(kind, row["critique"])} if row["kept"] else row for row in rows
    ]
    before, after = (
        sum(len(row["critique"]) for row in table if row["kept"]) for table in (rows, shortened)
    )
    logger.info("%d characters of kept critiques, %d before", after, before)
    parameters = {"kind": kind, "stage": CritiqueStage.SHORTENED}
    origin = origin_of(__name__, parameters, [critiques])
    parquet.write(output, CRITIQUES, shortened, origin)


def shorten(kind: Kind, critique: str) -> str:
    """`critique` with only the verdicts after the end of thinking.

    If a gPRM critique judges steps there, everything up to the last of these verdicts stays (as in Multi-RM).
    A critique without a verdict is unchanged. Shortening is idempotent.
    """
    reading = read_critique(kind, critique)
    if reading.verdict is None:
        return critique
    if reading.concludes_steps:
        return conclude(kind, critique, reading)
    thought = critique[: reading.thought_end]
    return f"{thought}{END_OF_THINKING}\n{verdict_line(kind, reading.verdict)}"
