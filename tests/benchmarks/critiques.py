r"""Compare our filter of critiques with Multi-RM's, on new random critiques in everyday words.

    PYTHONPATH=src python tests/benchmarks/critiques.py [--critiques 310] [--seed 1]

Critiques are generated in the forms that language models write: verdicts in bold, in other capitals, in boxes or
twice, steps judged while thinking or after it, numbered or not, text after the verdict, some of it Chinese, some
too long. Their meaning is known. Multi-RM's filter (arXiv 2510.00492) is reimplemented here by its rules, without
our code and without regular expressions; neither filter balances. Prints how many
both keep, how many either misreads, and each kind of disagreement with the forms that cause it.
"""

import argparse
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from multirm.critiques.filter import filtered
from multirm.tables.critique_rows import solution_key
from multirm.tables.critiques import Agreement, DropReason
from multirm.tables.reward_models import Kind
from multirm.text.prompts import VERDICT_MARKS

MAX_WORDS = 120
END = "</think>"
CHINESE = "所以这个答案是对的。"
BOXES = ("\\boxed{incorrect}", "\\boxed{correct}")
WORDS = "so we add the two numbers and see that both sides agree which is what it says here".split()

# Verdict lines, for the mark and the word: as requested, and in other forms.
VERDICTS = {
    "as asked": "{mark} {word}",
    "bold line": "**{mark} {word}**",
    "bold mark": "**{mark}** {word}",
    "bold word": "{mark} **{word}**",
    "boxed word": "{mark} $\\boxed{{{word}}}$",
    "lower case": "{mark} {lower}",
    "capitals": "{mark} {upper}",
    "next line": "{mark}\n{word}",
    "full stop": "{mark} {word}.",
}
# Lines of steps, for the number and the box.
STEPS = {
    "as asked": "Step {k}: The step is {box}",
    "bold number": "**Step {k}:** The step is {box}",
    "heading": "### Step {k}\n{prose}\nThe step is {box}",
    "sentence first": "Step {k}: {prose}\nThe step is {box}.",
    "one line": "Step {k}: {prose} The step is {box}.",
    "no sentence": "Step {k}: {prose} So it is {box}.",
    "math": "Step {k}: The step is ${box}$",
    "bold box": "Step {k}: The step is **{box}**",
    "capital": "Step {k}: The step is {capital}",
    "no number": "The step is {box}",
}


@dataclass
class Critique:
    """A generated critique, its meaning, and its forms.

    Attributes:
        verdict: 1, 0, or None if it has none.
        steps: for gPRM, its intended step verdicts.
    """

    text: str
    verdict: int | None
    steps: list[int] | None
    solution: int
    forms: list[str] = field(default_factory=list)


def prose(draw: random.Random, n: int) -> str:
    return " ".join(draw.choices(WORDS, k=n)).capitalize() + "."


def one_of(draw: random.Random, forms: dict[str, str], p_as_asked: float) -> str:
    return "as asked" if draw.random() < p_as_asked else draw.choice(list(forms))


def verdict_line(draw: random.Random, kind: Kind, verdict: int, form: str) -> str:
    word = "Yes" if verdict else "No"
    said = {"word": word, "lower": word.lower(), "upper": word.upper()}
    return VERDICTS[form].format(mark=VERDICT_MARKS[kind], **said)


def step_lines(draw: random.Random, verdicts: list[int], form: str, first: int) -> str:
    return "\n\n".join(
        STEPS[form].format(
            k=k,
            box=BOXES[verdict],
            capital=BOXES[verdict].replace("{c", "{C").replace("{i", "{I"),
            prose=prose(draw, 6),
        )
        for k, verdict in enumerate(verdicts, start=first)
    )


def made_up(draw: random.Random, kind: Kind, number: int, solution: dict[str, Any]) -> Critique:
    """A critique that agrees with the labels three times out of four."""
    labels = solution["step_labels"]
    truth = labels[: labels.index(0) + 1] if 0 in labels else labels
    steps = truth
    if draw.random() < 0.25:
        steps = [1] * draw.randrange(len(labels)) + [0] if all(truth) else [1] * len(labels)
    verdict: int | None = int(all(steps))
    forms: list[str] = []

    thought = [prose(draw, draw.randint(8, 30)) for _ in range(2)]
    conclusion = [prose(draw, 8)] if draw.random() < 0.4 else []
    if kind is Kind.GPRM:
        form, place = one_of(draw, STEPS, 0.4), draw.choice(["after", "after", "before", "both"])
        first = 0 if draw.random() < 0.06 else 1
        lines = step_lines(draw, steps, form, first)
        forms += [f"steps {form}", f"steps {place} the end of thinking"]
        forms += ["steps from 0"] if first == 0 else []
        thought += [lines] if place != "after" else []
        conclusion += [lines] if place != "before" else []
        conclusion += [prose(draw, 8)] if draw.random() < 0.2 else []
    else:
        place = ""
    form = one_of(draw, VERDICTS, 0.5)
    line = verdict_line(draw, kind, verdict, form)
    if draw.random() < 0.1:
        thought.append(f"I should end with: {line}")
        forms.append("verdict while thinking")
    if kind is Kind.GPRM and place != "before" and draw.random() < 0.3:
        forms.append("no question")
    elif draw.random() < 0.06:
        conclusion.append(f"{VERDICT_MARKS[kind]} {draw.choice(['Yesterday.', 'Not sure.', 'X'])}")
        forms.append("no verdict")
        # For gPRM, step verdicts after thinking imply it.
        verdict = verdict if place in ("after", "both") else None
    else:
        conclusion.append(line)
        forms.append(f"verdict {form}")
    for p, tail, name in (
        (0.12, prose(draw, 10), "words after"),
        (0.05, CHINESE, "Chinese after"),
        (0.06, prose(draw, MAX_WORDS), "too many words after"),
    ):
        if draw.random() < p:
            conclusion.append(tail)
            forms.append(name)
    if draw.random() < 0.05:
        thought.append(CHINESE)
        forms.append("Chinese while thinking")
    if draw.random() < 0.05:
        thought.append(prose(draw, MAX_WORDS))
        forms.append("too many words while thinking")
    end = END
    if draw.random() < 0.05:
        end, verdict = "", None
        forms.append("no end of thinking")
    text = " " + "\n\n".join(thought) + f"\n{end}\n\n" + "\n\n".join(conclusion)
    return Critique(text, verdict, steps if kind is Kind.GPRM else None, number, forms)


def published(kind: Kind, critique: Critique, solution: dict[str, Any], seen: set[str]) -> str:
    """The result of Multi-RM's filter for a critique: `kept`, or the reason."""
    text = critique.text
    if kind is Kind.GORM:
        found = first_verdict(text)
        text = text if found is None else text[: found[1]]
    else:
        ends = [end for _, end in boxed(text, any_case=False)]
        text = text[: ends[-1]] if ends else text
    if text in seen:
        return "duplicate"
    if END not in text:
        return "no_end_of_thinking"
    if any("\u4e00" <= letter <= "\u9fff" for letter in text):
        return "chinese_characters"
    if kind is Kind.GORM:
        found = first_verdict(text)
        if found is None:
            return "unparsable"
        if found[0] != solution["outcome"]:
            return "label_disagrees"
    else:
        verdicts = [verdict for verdict, _ in boxed(text, any_case=True)]
        whole = verdicts == [1] * len(solution["steps"])
        stopped = verdicts[-1:] == [0] and verdicts.count(0) == 1
        if not whole and not (stopped and len(verdicts) <= len(solution["steps"])):
            return "unparsable"
        labels = solution["step_labels"]
        if verdicts != (labels[: labels.index(0) + 1] if 0 in labels else labels):
            return "label_disagrees"
    if len(text.split()) > MAX_WORDS:
        return "too_long"
    seen.add(text)
    return "kept"


def first_verdict(text: str) -> tuple[int, int] | None:
    """The first yes or no anywhere after the mark, even as the start of a longer word, and where it ends."""
    lower, mark = text.lower(), VERDICT_MARKS[Kind.GORM].lower()
    start = lower.find(mark)
    while start >= 0:
        rest = lower[start + len(mark) :]
        spaces = len(rest) - len(rest.lstrip())
        for word, verdict in (("yes", 1), ("no", 0)):
            if rest[spaces:].startswith(word):
                return verdict, start + len(mark) + spaces + len(word)
        start = lower.find(mark, start + 1)
    return None


def boxed(text: str, any_case: bool) -> list[tuple[int, int]]:
    """Every `The step is \\boxed{…}` in order, with where it ends."""
    text = text.lower() if any_case else text
    sentence = "the step is " if any_case else "The step is "
    found = []
    for verdict, box in enumerate(BOXES):
        start = text.find(sentence + box)
        while start >= 0:
            found.append((start, verdict, start + len(sentence + box)))
            start = text.find(sentence + box, start + 1)
    return [(verdict, end) for _, verdict, end in sorted(found)]


def compare(kind: Kind, n: int, seed: int) -> None:
    draw = random.Random(f"{seed} {kind}")
    solutions = []
    for number in range(n):
        n_steps, error = draw.randint(2, 5), draw.randint(0, 9)
        labels = [int(k < error) for k in range(n_steps)]
        solutions.append(
            {
                "dataset": "made up",
                "category": "law",
                "question_id": "q",
                "solution_id": number,
                "steps": ["…"] * n_steps,
                "step_labels": labels,
                "outcome": int(all(labels)),
            }
        )
    critiques = [made_up(draw, kind, number, row) for number, row in enumerate(solutions)]
    rows = [
        {
            **solution_key(solution),
            "critique_id": 0,
            "critique": critique.text,
            "n_tokens_read": 0,
            "n_tokens_generated": len(critique.text.split()),
            "truncated": False,
        }
        for critique, solution in zip(critiques, solutions, strict=True)
    ]
    pairs = list(zip(rows, solutions, strict=True))
    marked = filtered(kind, pairs, MAX_WORDS, seed, Agreement.STRICT)
    ours = [
        "kept" if row["reason"] in (None, DropReason.UNBALANCED) else str(row["reason"])
        for row in marked
    ]
    seen: set[str] = set()
    theirs = [
        published(kind, critique, solution, seen)
        for critique, solution in zip(critiques, solutions, strict=True)
    ]
    print(f"{kind}: {n} critiques, ours keeps {ours.count('kept')}, the published one", end=" ")
    both = sum(a == b == "kept" for a, b in zip(ours, theirs, strict=True))
    print(f"{theirs.count('kept')}, both {both}")
    for name, decisions in (("ours", ours), ("the published one", theirs)):
        meant = [
            critique.verdict == solution["outcome"]
            for critique, solution, decision in zip(critiques, solutions, decisions, strict=True)
            if decision == "kept"
        ]
        print(f"  kept by {name} without meaning what the label says: {meant.count(False)}")
    misread = [
        row["verdict"] != critique.verdict or (critique.steps or None) != row["step_verdicts"]
        for row, critique, decision in zip(marked, critiques, ours, strict=True)
        if decision == "kept"
    ]
    print(f"  kept by ours and misread: {misread.count(True)}")
    classes: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    sizes: Counter[tuple[str, str]] = Counter()
    for critique, a, b in zip(critiques, theirs, ours, strict=True):
        if (a == "kept") != (b == "kept"):
            sizes[a, b] += 1
            classes[a, b].update(critique.forms)
    for (a, b), size in sizes.most_common():
        forms = ", ".join(f"{times} {form}" for form, times in classes[a, b].most_common(6))
        print(f"  {size:3} published: {a}, ours: {b} ({forms})")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--critiques", type=int, default=310, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for kind in (Kind.GORM, Kind.GPRM):
        compare(kind, arguments.critiques, arguments.seed)


if __name__ == "__main__":
    main()
