"""JudgeBench (arXiv 2410.12784): pairs of a right and a wrong response, and a judge's scores, if the file has some.

The subset is the pair's `source`; the sections are MMLU-Pro, LiveBench's reasoning and math, and LiveCodeBench. A
reward model scores each response by itself, so the second game of a pair, which shows the responses in reverse order,
adds nothing: rewards are the scores of the first game, of the model `judge_model`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from multirm.data.reward_benchmarks.prompts import Prompt, pair, prompt_text, response_text
from multirm.errors import one_of, shown
from multirm.formats.json_source import Record, as_record

LABELS = ("A>B", "B>A")
SECTIONS = ("mmlu-pro", "livebench-reasoning", "livebench-math", "livecodebench")


def prompts(records: Iterable[Record]) -> Iterator[Prompt]:
    """A prompt for each row."""
    for record in records:
        label = record.text("label")
        if label not in LABELS:
            raise record.error("label", expected=one_of(LABELS), found=shown(label))
        subset = record.name("source")
        section = next((name for name in SECTIONS if subset.startswith(name)), None)
        if section is None:
            raise record.error(
                "source", expected=f"one that begins with {one_of(SECTIONS)}", found=shown(subset)
            )
        texts = [response_text(record, key) for key in ("response_A", "response_B")]
        model, scores = _scores(record)
        if label == LABELS[1]:
            texts.reverse()
            scores.reverse()
        yield Prompt(
            record.where,
            subset,
            section,
            record.identifier("pair_id"),
            prompt_text(record, "question"),
            [replace(each, reward=score) for each, score in zip(pair(*texts), scores, strict=True)],
            model=model,
        )


def _scores(record: Record) -> tuple[str | None, list[float | None]]:
    """The judge and the scores of A and B in its first game; a score that is null or NaN is missing."""
    if "judgments" not in record.values:
        return None, [None, None]
    games = record.records("judgments")
    if not games:
        raise record.error("judgments", expected="at least one game", found="none")
    judgment = as_record(f"{games[0].where}, judgment", games[0].get("judgment"))
    if "scores" not in judgment.values:
        return None, [None, None]
    scores = judgment.numbers("scores")
    if len(scores) != 2:
        raise judgment.error("scores", expected="two scores", found=str(len(scores)))
    return judgment.text("judge_model"), scores
