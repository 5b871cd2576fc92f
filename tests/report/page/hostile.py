"""A study in which every text tries to run something, to hide something, or to break the page."""

from pathlib import Path
from typing import Any

from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY
from multirm.tables.headline import HEADLINE
from multirm.tables.nodes import NODES
from multirm.tables.questions import QUESTIONS
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES
from multirm.tables.search_nodes import SEARCH_NODES
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

MARKUP = (
    '<img src=x onerror="window.canary=1"><script>window.canary=1;alert(1)</script>'
    "</script><!-- <svg onload=alert(1)> ]]> {{policy}} ${alert(1)} </style><style>*{display:none}"
)
LINK = '"><a href="javascript:window.canary=1" onclick=alert(1)>x</a> https://example.invalid/x.png'
BIDI = "a\u202etxt.exe\u202c \u2066b\u2069 \u200f\u061c \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627"
INVISIBLE = (
    "zero\u200bwidth\ufeff\u2060\u00ad nul\x00 bell\x07 escape\x1b[31m c1\x9b5n line\u2028end"
)
STACKED = "Z" + "\u0300\u0316\u0489" * 60
LONG_WORD, LONG_LINE = "W" * 4000, "many words " * 800
TEXTS = (MARKUP, LINK, BIDI, INVISIBLE, STACKED, LONG_WORD, LONG_LINE)

DATASET = f"data {MARKUP} \u202e {'D' * 200}"
CATEGORY = f"category '\"{LINK} \u2067"
QUESTION = f"id {MARKUP}\u200b&amp;&#60;"
MODELS = {
    f"step {MARKUP}\u202e": ("step", "probability"),
    f"critique {LINK} {'M' * 150}": ("critique", "probability"),
    "score \u0645\u0631\u062d\u0628\u0627 __proto__": ("step", "score"),
}
STUDY = f"study {MARKUP} \u202e"

N_QUESTIONS = 60

KEY = {"dataset": DATASET, "category": CATEGORY}


def write_hostile(folder: Path) -> Path:
    """Write the tables of the study below a folder."""
    keys = [
        {**KEY, "question_id": QUESTION if n == 0 else f"{n} {TEXTS[n % 7][:40]}"}
        for n in range(N_QUESTIONS)
    ]
    solutions, rewards = [], []
    for number, key in enumerate(keys):
        # The first question's pool has everything; the others are small.
        for place in range(len(TEXTS) if number == 0 else 2):
            text = TEXTS[(number + place) % len(TEXTS)]
            own = {**key, "solution_id": place}
            solutions.append(
                {
                    **own,
                    "question": "\n".join(TEXTS)
                    if number == 0
                    else f"Question {number}? {text[:300]}",
                    "answer": "B",
                    "steps": [text, BIDI, "So."],
                    "parsed_answer": "B" if place else text,
                    "outcome": None,
                    "step_labels": [1, 0, 0],
                }
            )
            for model, (unit, scale) in MODELS.items():
                values: list[Any] = [0.1 * place, 0.5, 0.9 - 0.1 * place]
                if scale == "score":
                    values = [-30.0, 2.5, 1000.0 * place]
                if number == 1:
                    values = [None, 0.5, 0.5]
                types = {"unit": unit, "scale": scale, "truncated": number == 2}
                rewards.append({**own, "model": model, "rewards": values, **types})
    question = {**keys[0], "question": "\n".join(TEXTS), "options": [*TEXTS], "answer": "B"}
    critique = {**keys[0], "solution_id": 1, "model": list(MODELS)[1], "n_tokens_generated": 1}
    end = f"{MARKUP}</think>\nVerification: Is the answer correct (Yes/No)? Yes{BIDI}"
    critiques = [
        {**critique, "critique_id": place, "critique": f"{text}{end}", "reward": 0.5}
        | {"reason": None, "truncated": True}
        for place, text in enumerate(TEXTS)
    ]
    searched = [
        {**keys[0], "search": MARKUP, "node": place, "parent": place // 2 if place else None}
        | {"depth": place, "text": text, "n_tokens": 1, "reward": 0.25, "value": None, "visits": 1}
        | {"end": "finished" if place == 6 else None}
        | {"parsed_answer": LINK if place == 6 else None, "outcome": None}
        for place, text in enumerate(TEXTS)
    ]
    # Parents have lower numbers than their children.
    searched[1]["parent"] = 0
    merged = [
        {**keys[0], "node": place, "parent": place - 1 if place else None, "depth": place}
        | {"text": text, "value": -2.0 * place, "n_leaves": 1, "standard_error": None}
        | {"solution_ids": [0], "rewards": [0.5]}
        for place, text in enumerate(TEXTS)
    ]
    for name, schema, rows in (
        ("solutions", SOLUTIONS, solutions),
        ("rewards", REWARDS, rewards),
        ("questions", QUESTIONS, [question]),
        ("critiques", SCORED_CRITIQUES, critiques),
        ("searched", SEARCH_NODES, searched),
        ("nodes", NODES, merged),
        ("accuracy", ACCURACY, accuracy_rows()),
        ("headline", HEADLINE, headline_rows()),
    ):
        parquet.write(folder / f"{name}.parquet", schema, rows, made_of({"study": STUDY}))
    return folder


def accuracy_rows() -> list[dict[str, Any]]:
    numbers = {"accuracy": 50.0, "accuracy_low": 40.0, "accuracy_high": 60.0, "standard_error": 5.0}
    known = {"dataset": DATASET, "estimator": "exact", "std": None, "runs": None, "note": None}
    known |= {"n_questions": N_QUESTIONS, "n_short": 0, **numbers}
    methods: list[tuple[str, str | None, str | None]] = [
        ("majority_vote", None, None),
        *(("best_of_n", model, "mean") for model in MODELS),
        *(("weighted_vote", model, "mean") for model in MODELS),
        ("pass", None, None),
    ]
    return [
        {**known, "category": category, "selection": selection, "n": n}
        | {"model": model, "aggregation": aggregation}
        for category in ("Overall", CATEGORY)
        for selection, model, aggregation in methods
        for n in (1, 2)
    ]


def headline_rows() -> list[dict[str, Any]]:
    numbers = {"difference": 1.0, "difference_low": -1.0, "difference_high": 3.0, "p_holm": 0.5}
    return [
        {"dataset": DATASET, "selection": selection, "model": model, "aggregation": "mean", "n": 2}
        | {**numbers, "n_tests": 6, "verdict": "not_shown", "note": None}
        for selection in ("best_of_n", "weighted_vote")
        for model in MODELS
    ]
