"""HelpSteer3's preferences (arXiv 2505.11475): two responses to a conversation, and people's preference, -3 to 3.

Below 0, response 1 is better; the margin is the size of the preference. Rows with the preference 0 are left out and
counted. The subset is the `domain`.
"""

from collections.abc import Iterable, Iterator

from multirm.data.reward_benchmarks.prompts import Prompt, pair, prompt_text, response_text
from multirm.data.tally import Tally
from multirm.formats.json_source import Record

STRONGEST = 3


def prompts(records: Iterable[Record], tally: Tally) -> Iterator[Prompt]:
    """A prompt for each row with a preference; ids are places in the file, from 0."""
    for number, record in enumerate(records):
        preference = record.integer("overall_preference")
        if abs(preference) > STRONGEST:
            raise record.error("overall_preference", expected="-3 to 3", found=str(preference))
        if preference == 0:
            tally.add("", "pairs without a preference left out", record.where)
            continue
        first, second = (response_text(record, f"response{k}") for k in (1, 2))
        better, worse = (first, second) if preference < 0 else (second, first)
        domain = record.name("domain")
        yield Prompt(
            record.where,
            domain,
            domain,
            f"{number:06d}",
            prompt_text(record, "context"),
            pair(better, worse),
            margin=float(abs(preference)),
        )
