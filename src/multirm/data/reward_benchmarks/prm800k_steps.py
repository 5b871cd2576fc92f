"""PRM800K (arXiv 2305.20050) as pairs of steps: completions rated 1 against those rated -1 at the same place.

A response is the steps before the place and a completion, which is its last step: that is what is compared. Completions
rated 0 are left out, and so are places without one of each rating. The steps before are the chosen completions, or
what a person wrote where none was good.
"""

from collections.abc import Iterable, Iterator

from multirm.data.prm800k import CATEGORY
from multirm.data.reward_benchmarks.prompts import Prompt, Response
from multirm.data.tally import Tally
from multirm.errors import shown
from multirm.formats.json_source import Record, as_record


def prompts(records: Iterable[Record], tally: Tally) -> Iterator[Prompt]:
    """A prompt for each place with good and bad completions; ids are the row's position and the place, from 0."""
    seen: set[tuple[str, ...]] = set()
    for number, record in enumerate(records):
        row = tuple(str(record.values.get(key)) for key in ("labeler", "timestamp", "question"))
        if row in seen:
            tally.add("", "repeated rows left out", record.where)
            continue
        seen.add(row)
        problem = as_record(f"{record.where}, question", record.get("question")).text("problem")
        label = as_record(f"{record.where}, label", record.get("label"))
        yield from _places(f"{number:06d}", problem, label, tally)


def _places(row_id: str, problem: str, label: Record, tally: Tally) -> Iterator[Prompt]:
    before: list[str] = []
    for place, step in enumerate(label.records("steps")):
        completions = step.records("completions") if step.get("completions") is not None else []
        rated = dict[str, int | None]()
        for completion in completions:
            text, rating = completion.optional_text("text"), completion.get("rating")
            if rating is not None and (type(rating) is not int or rating not in (-1, 0, 1)):
                raise completion.error("rating", expected="-1, 0, 1 or null", found=shown(rating))
            if text:
                if text in rated:
                    tally.add("", "repeated completions left out", completion.where)
                rated.setdefault(text, rating)
        if {1, -1} <= set(rated.values()):
            yield Prompt(
                step.where,
                CATEGORY,
                CATEGORY,
                f"{row_id}-{place}",
                problem,
                [
                    Response(text, rating == 1, steps=[*before, text], outcome=int(rating == 1))
                    for text, rating in rated.items()
                    if rating in (1, -1)
                ],
            )
        taken = _taken(step, completions)
        if taken is None:
            break
        before.append(taken)


def _taken(step: Record, completions: list[Record]) -> str | None:
    """The step that the solution goes on with; None if it ends here."""
    chosen = step.get("chosen_completion")
    if chosen is None:
        written = step.values.get("human_completion")
        return (
            as_record(f"{step.where}, human_completion", written).optional_text("text")
            if written
            else None
        )
    if type(chosen) is not int or not 0 <= chosen < len(completions):
        raise step.error(
            "chosen_completion",
            expected=f"one of {len(completions)} completions, from 0, or null",
            found=shown(chosen),
        )
    return completions[chosen].optional_text("text")
