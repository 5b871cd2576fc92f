"""The section *Solutions* of the page: questions, the pools of solutions to them, and what was chosen and why.

Where not everything fits into the page, questions are chosen: every other one at random, so that there is a fair
sample, and the others for what people look for, such as reward models that disagree. The page says what was left out.
"""

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import duckdb
import numpy as np

from multirm.database.question_pools import (
    KnownModel,
    QuestionPool,
    answer_rule,
    models_of,
    read_pools,
    scored_datasets,
    views_in,
)
from multirm.database.question_texts import Critique, Texts, Tree, read_critiques, read_texts
from multirm.database.reasons import ExplainedChoice, Trait
from multirm.report.page.assemble import packed
from multirm.running.randomness import item_seed
from multirm.tables.accuracy import Selection
from multirm.text.answer_rules import AnswerRule

BUDGET = 9_000_000
"""Bytes of the page for the pools and the list of questions."""

SEED = 42

# Characters of one pool. Solutions are shown in the order of `_notable` until they are used up; of critiques, first one
# of each solution and model, then a second one, and so on.
_OF_STEPS, _OF_CRITIQUES, _OF_TREE = 40_000, 40_000, 40_000
# Critiques can be as long as a context; a single text shows this many characters.
_LONGEST = 20_000
# Solutions whose critiques are read: they are by far the largest table.
_CRITICISED = 24
# In the list of questions, where text can be searched.
_OF_QUESTION = 600

# Questions whose texts are read together.
_FEWEST_AT_ONCE, _MOST_AT_ONCE = 64, 512

# Where a row of the list of questions has the bits of its marks.
_MARKS_OF_ROW = 4

Key = tuple[str, str, str]

TREE = "tree"
RANDOM = "random"
MARKS = (*(str(trait) for trait in Trait), TREE, RANDOM)
"""What the list of questions can be filtered by, beside data sets and categories."""


@dataclass(frozen=True)
class Candidate:
    """A question that could be shown.

    Attributes:
        marks: its traits, `TREE` if it has a tree.
    """

    key: Key
    marks: frozenset[str]


@dataclass
class _Reader:
    """Reads pools of one database, each category once at a time."""

    database: duckdb.DuckDBPyConnection
    models: dict[str, list[KnownModel]] = field(default_factory=dict)
    _rules: dict[str, AnswerRule] = field(default_factory=dict)

    def pools(
        self, dataset: str, category: str, question_ids: Sequence[str] | None = None
    ) -> Iterator[QuestionPool]:
        """The pools of a category, or of some of its questions."""
        if dataset not in self.models:
            self.models[dataset] = models_of(self.database, dataset)
            self._rules[dataset] = answer_rule(self.database, dataset)
        models, rule = self.models[dataset], self._rules[dataset]
        return read_pools(self.database, dataset, category, models, rule, question_ids)


def solutions_payload(
    database: duckdb.DuckDBPyConnection, budget: int = BUDGET, seed: int = SEED
) -> dict[str, Any]:
    """What the section shows, ready for JSON.

    Args:
        database: with a view for each kind of table, as from `open_database`.
        budget: most bytes for questions and pools together.
        seed: of the random choice of questions.

    Returns:
        `datasets`: for each, its name, its reward models with their scorers, and counts of questions;
        `marks`: names of the bits of a question's marks;
        `questions`: rows of dataset (position), category, id, text, marks (bits), solutions and correct solutions;
        `pools`: for each question, the pool as base64 of gzipped JSON (`pool_payload`).
    """
    reader = _Reader(database)
    candidates = _candidates(reader)
    datasets = list(dict.fromkeys(each.key[0] for each in candidates))
    order = choose_questions(candidates, seed)
    shown: dict[Key, tuple[list[Any], str]] = {}
    used, is_full, at_once = 0, False, _FEWEST_AT_ONCE
    while not is_full and (batch := list(islice(order, at_once))):
        new = dict.fromkeys(each for each, _ in batch if each.key not in shown)
        found = _read(reader, list(new), datasets)
        for each, is_random in batch:
            if each.key not in shown:
                row, pool = found[each.key]
                used += len(pool) + len(json.dumps(row)) + len(',"",')
                is_full = used > budget and bool(shown)
                if is_full:
                    break
                shown[each.key] = row, pool
            if is_random:
                shown[each.key][0][_MARKS_OF_ROW] |= _bits([RANDOM])
        wanted = 2 * (budget - used) * len(shown) // used
        at_once = min(max(wanted, _FEWEST_AT_ONCE), _MOST_AT_ONCE)
    rows, pools = zip(*(shown[key] for key in sorted(shown)), strict=True) if shown else ((), ())
    return {
        "datasets": [
            _of_dataset(
                name,
                reader.models.get(name, []),
                sum(each.key[0] == name for each in candidates),
                sum(dataset == name for dataset, *_ in shown),
            )
            for name in datasets
        ],
        "marks": MARKS,
        "questions": rows,
        "pools": pools,
    }


def choose_questions(
    candidates: Sequence[Candidate], seed: int
) -> Iterator[tuple[Candidate, bool]]:
    """All questions, those first that should be shown if not all can be.

    Every other one is the next in a random order; those up to there are a fair sample, also those of them that were
    chosen before for another reason. In between, each dataset and mark has its turn, with the next question that has
    it.

    Yields:
        a question, and whether it is in the random sample; a question that joins the sample later comes again.
    """
    shuffled = sorted(candidates, key=lambda each: item_seed(seed, "page", *each.key))
    groups: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for each in shuffled:
        for mark in each.marks:
            groups[each.key[0], mark].append(each)
    turns = deque(iter(groups[name]) for name in sorted(groups))
    taken: set[Key] = set()
    for each in shuffled:
        is_new = each.key not in taken
        taken.add(each.key)
        yield each, True
        if is_new and (chosen := _next_turn(turns, taken)):
            taken.add(chosen.key)
            yield chosen, False


def _next_turn(turns: deque[Iterator[Candidate]], taken: Set[Key]) -> Candidate | None:
    """The next question of the group whose turn it is; groups without further questions are dropped."""
    while turns:
        group = turns.popleft()
        for each in group:
            if each.key not in taken:
                turns.append(group)
                return each
    return None


def _candidates(reader: _Reader) -> list[Candidate]:
    """Every question that has rewards or a tree, or was evaluated."""
    trees = _keys_of_trees(reader.database)
    whole = {*scored_datasets(reader.database), *_evaluated(reader.database)}
    found: dict[Key, set[str]] = {}
    for dataset, category in sorted({*whole, *(key[:2] for key in trees)}):
        for pool in reader.pools(dataset, category):
            if (dataset, category) in whole or pool.key in trees:
                found[pool.key] = {str(trait) for trait in pool.traits}
    for key in sorted(trees):
        found.setdefault(key, set()).add(TREE)
    return [Candidate(key, frozenset(marks)) for key, marks in sorted(found.items())]


def _evaluated(database: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """The datasets and categories with accuracies and solutions, also if no reward model scored them."""
    if not {"accuracy", "solutions"} <= views_in(database):
        return []
    query = "SELECT DISTINCT dataset, category FROM accuracy INTERSECT SELECT DISTINCT dataset, category FROM solutions"
    return database.execute(query).fetchall()


def _keys_of_trees(database: duckdb.DuckDBPyConnection) -> set[Key]:
    keys: set[Key] = set()
    for view in {"search_nodes", "nodes"} & views_in(database):
        query = f"SELECT DISTINCT dataset, category, question_id FROM {view}"
        keys.update(database.execute(query).fetchall())
    return keys


def _read(
    reader: _Reader, batch: Sequence[Candidate], datasets: Sequence[str]
) -> dict[Key, tuple[list[Any], str]]:
    """The rows and pools of some questions."""
    wanted: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for each in batch:
        wanted[each.key[0], each.key[1]].append(each)
    found = {}
    for (dataset, category), own in wanted.items():
        ids = [each.key[2] for each in own]
        texts = read_texts(reader.database, dataset, category, ids)
        pools = {pool.question_id: pool for pool in reader.pools(dataset, category, ids)}
        models = reader.models[dataset]
        notable = [
            (name, pool.solution_ids[place])
            for name, pool in pools.items()
            for place in _notable(pool)[:_CRITICISED]
        ]
        kinds = {model.name: model.kind for model in models}
        critiques = read_critiques(reader.database, dataset, category, notable, kinds)
        for each in own:
            name = each.key[2]
            pool, text = pools.get(name), texts[name]
            row = [datasets.index(dataset), category, name, (text.question or "")[:_OF_QUESTION]]
            row += [_bits(each.marks), len(pool.solution_ids) if pool else 0]
            row += [int(pool.correct.sum()) if pool else 0]
            found[each.key] = row, packed(pool_payload(pool, text, critiques, models))
    return found


def _bits(marks: Iterable[str]) -> int:
    return sum(1 << MARKS.index(mark) for mark in marks)


def _of_dataset(
    name: str, models: Sequence[KnownModel], n_questions: int, n_shown: int
) -> dict[str, Any]:
    return {
        "name": name,
        "models": [
            {
                "name": model.name,
                "unit": model.type.unit and str(model.type.unit),
                "scale": str(model.type.scale),
            }
            for model in models
        ],
        "scorers": [
            {
                "model": place,
                "aggregation": str(aggregation),
                "label": model.name
                if len(model.aggregations) == 1
                else f"{model.name} {aggregation}",
            }
            for place, model in enumerate(models)
            for aggregation in model.aggregations
        ],
        "n_questions": n_questions,
        "n_shown": n_shown,
    }


def pool_payload(
    pool: QuestionPool | None,
    texts: Texts,
    critiques: Mapping[tuple[str, int, str], Sequence[Critique]],
    models: Sequence[KnownModel],
) -> dict[str, Any]:
    """One question with its pool, ready for JSON.

    Returns:
        `question`, `options`, `answer`, `trees`; and, of solutions in the order of their ids, `ids`, `parsed`,
        `answers` (codes), `correct` (1, 0 or null), `labels`, `reasons`, `scores` (a list for each scorer),
        `truncated` and `missing` (positions for each model), `choices`, and `details` of those whose texts are shown:
        by position, `steps`, `rewards` (a list for each model) and `critiques` (a list for each model).
    """
    content: dict[str, Any] = {
        "question": _cut(texts.question or ""),
        "options": _apart(texts),
        "answer": texts.answer if pool is None else pool.reference,
        "trees": [_of_tree(tree) for tree in texts.trees],
    }
    if pool is None:
        return content
    names = [model.name for model in models]
    scorers = list(pool.scores)
    return content | {
        "ids": list(pool.solution_ids),
        "parsed": list(pool.parsed),
        "answers": pool.answers.tolist(),
        "correct": [
            int(right) if known else None
            for right, known in zip(pool.correct.tolist(), pool.judged.tolist(), strict=True)
        ],
        "labels": list(pool.labels),
        "reasons": list(pool.reasons),
        "scores": [_numbers(pool.scores[scorer]) for scorer in scorers],
        "truncated": [
            [place for place, flag in enumerate(pool.truncated[name]) if flag] for name in names
        ],
        "missing": [
            [
                place
                for place, own in enumerate(pool.rewards[name])
                if pool.reasons[place] is None and (not own or None in own)
            ]
            for name in names
        ],
        "choices": [_of_choice(choice, scorers) for choice in pool.choices],
        "details": _details(pool, texts, critiques, names),
    }


def _details(
    pool: QuestionPool,
    texts: Texts,
    critiques: Mapping[tuple[str, int, str], Sequence[Critique]],
    names: Sequence[str],
) -> dict[int, dict[str, Any]]:
    details: dict[int, dict[str, Any]] = {}
    left = _OF_STEPS
    for place in _notable(pool):
        steps = [_cut(step) for step in texts.steps.get(pool.solution_ids[place], [])]
        left -= sum(map(len, steps))
        if left < 0 and details:
            break
        rewards = [pool.rewards[name][place] for name in names]
        details[place] = {
            "steps": steps,
            "rewards": [own and _numbers(own) for own in rewards],
            "critiques": [[] for _ in names],
            "n_critiques": [0 for _ in names],
        }
    known = {
        (place, number): critiques.get((pool.question_id, pool.solution_ids[place], name), [])
        for place in details
        for number, name in enumerate(names)
    }
    for (place, number), own in known.items():
        details[place]["n_critiques"][number] = len(own)
    left = _OF_CRITIQUES
    for (place, number), critique in _breadth_first(known):
        left -= min(len(critique.text), _LONGEST)
        if left < 0:
            break
        details[place]["critiques"][number].append(_of_critique(critique))
    return details


def _breadth_first(
    known: Mapping[tuple[int, int], Sequence[Critique]],
) -> Iterator[tuple[tuple[int, int], Critique]]:
    """The first critiques of all solutions and models, then the second ones, and so on."""
    for turn in range(max(map(len, known.values()), default=0)):
        for key, own in known.items():
            if turn < len(own):
                yield key, own[turn]


def _notable(pool: QuestionPool) -> list[int]:
    """All positions, those first that readers look for: what was chosen, runners-up, recoveries, truncated ones."""
    chosen = [choice.candidates[0].solutions[0] for choice in pool.choices if choice.candidates]
    runners_up = [
        choice.candidates[choice.choice.n_tied].solutions[0]
        for choice in pool.choices
        if choice.choice.n_tied < len(choice.candidates)
    ]
    truncated = [flags.index(True) for flags in map(list, pool.truncated.values()) if True in flags]
    right, wrong = np.flatnonzero(pool.correct)[:1], np.flatnonzero(~pool.correct)[:1]
    first = chain(
        chosen, runners_up, pool.recoveries[:2], truncated, right.tolist(), wrong.tolist()
    )
    return list(dict.fromkeys([*first, *range(len(pool.solution_ids))]))


def _of_choice(choice: ExplainedChoice, scorers: Sequence[Any]) -> dict[str, Any]:
    """A choice; of best-of-N, the tied solutions and the runner-up alone."""
    is_best = choice.choice.selection is Selection.BEST_OF_N
    shown = choice.candidates[: choice.choice.n_tied + 1] if is_best else choice.candidates
    return {
        "selection": str(choice.choice.selection),
        "scorer": None if choice.scorer is None else scorers.index(choice.scorer),
        "basis": str(choice.basis),
        "correct": choice.choice.correct,
        "n_tied": choice.choice.n_tied,
        "candidates": [
            {"answer": each.answer, "solutions": each.solutions, "worth": _number(each.worth)}
            for each in shown
        ],
    }


def _of_critique(critique: Critique) -> dict[str, Any]:
    text, span = critique.text, critique.verdict
    if len(text) > _LONGEST:
        # The verdict is at the end.
        gone = len(text) - _LONGEST
        head, tail = text[: _LONGEST // 2], text[-(_LONGEST - _LONGEST // 2) :]
        note = f"\n[… {gone} characters left out …]\n"
        text = head + note + tail
        moved = len(note) - gone
        span = (span[0] + moved, span[1] + moved) if span and span[0] >= len(head) + gone else None
    if span:
        # JavaScript counts in units of UTF-16.
        span = _utf16(text[: span[0]]), _utf16(text[: span[1]])
    return {
        "text": text,
        "reward": _number(critique.reward),
        "reason": critique.reason,
        "truncated": critique.truncated,
        "verdict": span,
    }


def _utf16(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


def _of_tree(tree: Tree) -> dict[str, Any]:
    nodes: list[list[Any]] = []
    left = _OF_TREE
    for node in tree.nodes:
        left -= len(node["text"]) + 40
        if left < 0 and nodes:
            break
        nodes.append(
            [
                node["node"],
                node["parent"],
                _cut(node["text"]),
                _number(node["worth"]),
                node["n"],
                node["end"],
                node["parsed_answer"],
                node["outcome"],
            ]
        )
    return {"search": tree.search, "nodes": nodes, "n_nodes": len(tree.nodes)}


def _apart(texts: Texts) -> list[str] | None:
    """The options, unless the question's text has them."""
    options, question = texts.options, texts.question or ""
    if not options or all(option in question for option in options):
        return None
    return [_cut(option) for option in options]


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}\n[… {len(text) - _LONGEST} characters left out]"


def _number(value: float | None) -> float | None:
    """A number with six digits, which are more than are shown."""
    if value is None or np.isnan(value):
        return None
    return float(f"{value:.6g}")


def _numbers(values: Iterable[float | None]) -> list[float | None]:
    return [_number(value) for value in values]
