"""LLMBar (arXiv 2310.07641): pairs of which one follows the instruction, natural ones and four adversarial subsets.

The subset is the name of the file, or, if this is `dataset.json` as in the authors' repository, of its folder.
`label` names the better output, 1 or 2.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from multirm.data.reward_benchmarks.prompts import Prompt, by_label, prompt_text
from multirm.errors import InputError, one_of, shown
from multirm.formats.json_source import Record

NATURAL = "natural"
SUBSETS = (NATURAL, "neighbor", "gptinst", "gptout", "manual")


def prompts(records: Iterable[Record], file: Path) -> Iterator[Prompt]:
    """A prompt for each row; ids are places in the file, from 0."""
    subset = (file.parent.name if file.stem == "dataset" else file.stem).lower()
    if subset not in SUBSETS:
        raise InputError(file, expected=f"a file named {one_of(SUBSETS)}", found=shown(subset))
    for number, record in enumerate(records):
        yield Prompt(
            record.where,
            subset,
            NATURAL if subset == NATURAL else "adversarial",
            str(number),
            prompt_text(record, "input"),
            by_label(record, "label", "output_1", "output_2"),
        )
