"""RewardBench (arXiv 2403.13787): pairs of responses in 23 subsets, which make four sections.

Files are those of the split `filtered` of its hub dataset, and, for the fifth section, of the prior sets, whose
subsets have the same columns.
"""

from collections.abc import Iterable, Iterator

from multirm.data.reward_benchmarks.prompts import Prompt, pair, prompt_text, response_text
from multirm.errors import did_you_mean, shown
from multirm.formats.json_source import Record
from multirm.tables.responses import PRIOR_SETS, PRIOR_SUBSETS, REWARDBENCH_SECTIONS

_SECTION_OF = {
    **{subset: section for section, subsets in REWARDBENCH_SECTIONS.items() for subset in subsets},
    **dict.fromkeys(PRIOR_SUBSETS, PRIOR_SETS),
}


def prompts(records: Iterable[Record]) -> Iterator[Prompt]:
    """A prompt for each row."""
    for record in records:
        subset = record.name("subset")
        if subset not in _SECTION_OF:
            raise record.error(
                "subset",
                expected="a subset of RewardBench",
                found=shown(subset),
                remedy=did_you_mean(subset, _SECTION_OF),
            )
        responses = pair(response_text(record, "chosen"), response_text(record, "rejected"))
        yield Prompt(
            record.where,
            subset,
            _SECTION_OF[subset],
            record.identifier("id"),
            prompt_text(record, "prompt"),
            responses,
        )
