"""RewardBench 2 (arXiv 2506.01937): one right response among four, and Ties, where several are right.

A row has lists of right and wrong responses. In the subset Ties, the ids are `ref:NUMBER` (one response is right) and
`tied:NUMBER` (several are equally right).
"""

import re
from collections.abc import Iterable, Iterator

from multirm.data.reward_benchmarks.prompts import (
    Prompt,
    Response,
    prompt_text,
    response_texts,
)
from multirm.errors import one_of, shown
from multirm.formats.json_source import Record
from multirm.tables.responses import TIES

SUBSETS = ("factuality", "precise_if", "math", "safety", "focus", TIES)

_TIES_ID = re.compile(r"(?:ref|tied):\d+", re.ASCII)


def prompts(records: Iterable[Record]) -> Iterator[Prompt]:
    """A prompt for each row."""
    for record in records:
        subset = record.name("subset")
        if subset not in SUBSETS:
            raise record.error("subset", expected=one_of(SUBSETS), found=shown(subset))
        prompt_id = record.identifier("id")
        if subset == TIES and not _TIES_ID.fullmatch(prompt_id):
            raise record.error("id", expected="ref:NUMBER or tied:NUMBER", found=shown(prompt_id))
        right, wrong = response_texts(record, "chosen"), response_texts(record, "rejected")
        if subset != TIES and len(right) > 1:
            raise record.error("chosen", expected="one response", found=str(len(right)))
        yield Prompt(
            record.where,
            subset,
            subset,
            prompt_id,
            prompt_text(record, "prompt"),
            [Response(text, True) for text in right] + [Response(text, False) for text in wrong],
        )
