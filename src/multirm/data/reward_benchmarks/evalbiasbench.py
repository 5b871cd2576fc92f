"""EvalBiasBench (OffsetBias, arXiv 2407.06551): 80 pairs in which judges of six kinds of bias choose the worse one.

The file is an object with a list of pairs for each kind of bias. `label` names the better response, 1 or 2.
"""

from collections.abc import Iterator
from pathlib import Path

from multirm.data.reward_benchmarks.prompts import Prompt, by_label, prompt_text
from multirm.errors import InputError
from multirm.formats.json_source import read_object


def prompts(file: Path) -> Iterator[Prompt]:
    """A prompt for each pair; ids are its kind of bias and its place among these, from 0."""
    kinds = read_object(file)
    if not kinds.values:
        raise InputError(file, expected="at least one kind of bias", found="none")
    for kind in kinds.values:
        subset = "_".join(kind.lower().split())
        records = kinds.records(kind)
        if not records:
            raise kinds.error(kind, expected="at least one pair", found="none")
        for number, record in enumerate(records):
            yield Prompt(
                record.where,
                subset,
                subset,
                f"{subset}-{number}",
                prompt_text(record, "instruction"),
                by_label(record, "label", "response1", "response2"),
            )
