"""One question in a terminal: its pool, what each selection chose and why, and steps with rewards and labels.

Texts come from models and data sets: control characters and marks of direction are escaped, so that no terminal
interprets them.
"""

import difflib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.style import Style
from rich.table import Table
from rich.text import Text

from multirm.database.opening import open_database
from multirm.database.question_pools import (
    KnownModel,
    QuestionPool,
    answer_rule,
    models_of,
    read_pools,
    views_in,
)
from multirm.database.question_texts import Critique, Texts, Tree, read_critiques, read_texts
from multirm.database.reasons import Basis, ExplainedChoice
from multirm.errors import InputError, did_you_mean, escaped, shown
from multirm.running.arguments import entry
from multirm.running.numbers import CountOrZero
from multirm.study.results_folder import folder_of_tables
from multirm.tables.accuracy import Selection
from multirm.tables.rewards import Scale, Unit
from multirm.tables.views import find_tables

_VIEWS = ("solutions", "questions", "search_nodes", "nodes")

# From low to high rewards: orange over grey to blue, as in the report's page, for black letters.
_COLOURS = (
    *("#F6A25A", "#F6B27A", "#F6C198", "#F6D1B6", "#F6E3D6", "#F5F5F5"),
    *("#DDE9F5", "#C5DCF5", "#ADD0F5", "#94C3F6", "#7AB7F8"),
)

_WIDTH_OF_PIPES = 120
_ANSWERS_SHOWN = 5
_NEAR = 3

_NAMES = {
    Selection.MAJORITY_VOTE: "Majority vote",
    Selection.BEST_OF_N: "Best-of-N",
    Selection.WEIGHTED_VOTE: "Weighted vote",
}


@dataclass(frozen=True)
class _Looked:
    """What is shown of one question.

    Attributes:
        critiques: of the solutions whose steps are shown, by position and model.
    """

    pool: QuestionPool | None
    texts: Texts
    models: Sequence[KnownModel]
    critiques: dict[tuple[int, str], list[Critique]]


@entry
def show(
    question_id: str,
    results: Path | None = None,
    dataset: str | None = None,
    category: str | None = None,
    model: str | None = None,
    solution: CountOrZero | None = None,
) -> None:
    """Print a question with its pool: rewards and labels of steps, and what each selection chose and why.

    Without --solution, the steps of the solutions that best-of-N chooses are printed. Colours run from orange (low
    rewards) to blue (high ones); there are none in a pipe, or if NO_COLOR is set.

    Args:
        question_id: The question's id.
        results: The folder to search for tables, at any depth; by default the results folder of the study in
            config/config.yaml, which is `results` if it names none.
        dataset: The question's dataset, if several have a question with this id.
        category: Its category, if several have one.
        model: Show the rewards of this reward model only.
        solution: The id of a solution to print with all its critiques.

    Raises:
        InputError: no such question, reward model or solution, or several questions.
    """
    with open_database(find_tables(folder_of_tables(results))) as database:
        place = _place(database, question_id, dataset, category)
        looked = _look(database, *place, question_id, model, solution)
    console = Console(
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=False,
        width=None if sys.stdout.isatty() else _WIDTH_OF_PIPES,
    )
    try:
        console.print(Group(*_parts(looked, (*place, question_id), solution)))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe; Python would still flush the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _place(
    database: duckdb.DuckDBPyConnection,
    question_id: str,
    dataset: str | None,
    category: str | None,
) -> tuple[str, str]:
    """The dataset and category of the question.

    Raises:
        InputError: there is none, or there are several.
    """
    views = [view for view in _VIEWS if view in views_in(database)]
    if not views:
        raise InputError(
            "--results",
            expected="tables with questions",
            found="none",
            remedy="name the folder that multirm import wrote, or that of a study",
        )
    every = " UNION ".join(
        f"SELECT DISTINCT dataset, category, question_id FROM {view}" for view in views
    )
    wanted = {"dataset": dataset, "category": category}
    keys = [
        key
        for key in sorted(database.sql(every).fetchall())
        if all(each in (None, own) for each, own in zip(wanted.values(), key, strict=False))
    ]
    found = [key[:2] for key in keys if key[2] == question_id]
    if len(found) == 1:
        return found[0]
    where = "".join(
        f" with {name} {shown(value)}" for name, value in wanted.items() if value is not None
    )
    if not found:
        ids = list(dict.fromkeys(key[2] for key in keys))
        near = difflib.get_close_matches(question_id, ids, n=_NEAR)
        raise InputError(
            "QUESTION_ID",
            expected=f"one of {len(ids)} question ids{where}",
            found=shown(question_id),
            remedy=f"did you mean {', '.join(near)}?" if near else "",
        )
    raise InputError(
        "QUESTION_ID",
        expected=f"a single question{where}",
        found=f"{len(found)} with id {shown(question_id)}: {', '.join(' '.join(each) for each in found)}",
        remedy="add --dataset and --category",
    )


def _look(
    database: duckdb.DuckDBPyConnection,
    dataset: str,
    category: str,
    question_id: str,
    model: str | None,
    solution: int | None,
) -> _Looked:
    """Read what is shown.

    Raises:
        InputError: no such reward model or solution.
    """
    models = models_of(database, dataset)
    if model is not None:
        names = [each.name for each in models]
        if model not in names:
            raise InputError(
                "--model",
                expected=f"one of the reward models of {dataset}, {', '.join(names) or 'none'}",
                found=shown(model),
                remedy=did_you_mean(model, names),
            )
        models = [each for each in models if each.name == model]
    rule = answer_rule(database, dataset)
    found = list(read_pools(database, dataset, category, models, rule, [question_id]))
    texts = read_texts(database, dataset, category, [question_id])[question_id]
    pool = found[0] if found else None
    ids = list(pool.solution_ids) if pool else []
    if solution is None:
        return _Looked(pool, texts, models, {})
    if solution not in ids:
        raise InputError(
            "--solution",
            expected=f"a solution of this pool, {_ranges(ids) or 'which has none'}",
            found=str(solution),
        )
    kinds = {each.name: each.kind for each in models}
    critiques = read_critiques(database, dataset, category, [(question_id, solution)], kinds)
    own = {(ids.index(solution), name): found for (*_, name), found in critiques.items()}
    return _Looked(pool, texts, models, own)


def _ranges(ids: Sequence[int]) -> str:
    """Ids in words: `0 to 15`, or all of them where some are missing between."""
    if len(ids) > 1 and list(ids) == list(range(ids[0], ids[-1] + 1)):
        return f"{ids[0]} to {ids[-1]}"
    return ", ".join(map(str, ids))


def _parts(
    looked: _Looked, key: tuple[str, str, str], solution: int | None
) -> Iterator[RenderableType]:
    texts, pool = looked.texts, looked.pool
    yield Text(" · ".join(map(escaped, key)), style="bold")
    yield _said(texts.question or "")
    for letter, option in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", texts.options or (), strict=False):
        if option not in (texts.question or ""):
            yield Text.assemble(f"{letter}. ", _said(option))
    yield Text.assemble("Reference answer: ", _answer(pool.reference if pool else texts.answer))
    if pool is not None:
        if solution is None:
            yield Text()
            yield _choices(pool)
            yield Text()
            yield _table(pool)
        places = _shown_places(pool) if solution is None else [pool.solution_ids.index(solution)]
        for place in places:
            yield from _solution(looked, pool, place)
        if solution is None:
            yield Text("\nAny other solution, and all critiques: --solution N", style="dim")
    if solution is None:
        for tree in texts.trees:
            yield from _tree(tree)


def _choices(pool: QuestionPool) -> Table:
    title = f"What each selection chooses from all {len(pool.solution_ids)} solutions, and why"
    table = _grid(title, ["Selection", "Rewards", "Answer", "Right", "Why"])
    for each in pool.choices:
        table.add_row(
            _NAMES[each.choice.selection],
            _scorer(pool, each) if each.scorer else "–",
            _or(pool, each),
            _right(each.choice.correct),
            _why(pool, each),
        )
    return table


def _table(pool: QuestionPool) -> Table:
    scorers = list(pool.scores)
    title = "The pool"
    header = ["Solution", "Answer", "Right", *(_label(pool, each) for each in scorers)]
    table = _grid(title, [*header, "Best by", "Notes"])
    scales = [_scale(pool.scores[each]) for each in scorers]
    for place, solution_id in enumerate(pool.solution_ids):
        table.add_row(
            str(solution_id),
            _answer(pool.parsed[place]),
            _right(float(pool.correct[place]) if pool.judged[place] else None),
            *(
                _painted(pool.scores[each][place], scale)
                for each, scale in zip(scorers, scales, strict=True)
            ),
            ", ".join(
                _scorer(pool, each)
                for each in pool.choices
                if each.choice.selection is Selection.BEST_OF_N and place in each.choice.positions
            ),
            ", ".join(_notes(pool, place)),
        )
    return table


def _notes(pool: QuestionPool, place: int) -> Iterator[str]:
    if (reason := pool.reasons[place]) is not None:
        yield reason.replace("_", " ")
    if place in pool.recoveries:
        yield "recovery"
    if any(flags[place] for flags in pool.truncated.values()):
        yield "truncated"
    if pool.reasons[place] is None and any(
        not own[place] or None in (own[place] or []) for own in pool.rewards.values()
    ):
        yield "missing reward"


def _shown_places(pool: QuestionPool) -> list[int]:
    """The solutions that best-of-N chooses, the first of those that tie; the first solution without reward models."""
    chosen = [
        each.choice.positions[0]
        for each in pool.choices
        if each.choice.selection is Selection.BEST_OF_N
    ]
    return list(dict.fromkeys(chosen)) or [0]


def _solution(looked: _Looked, pool: QuestionPool, place: int) -> Iterator[RenderableType]:
    solution_id = pool.solution_ids[place]
    right = _right(float(pool.correct[place]) if pool.judged[place] else None)
    notes = "".join(f", {note}" for note in _notes(pool, place))
    answer = _answer(pool.parsed[place])
    yield Text()
    yield Rule(
        Text.assemble(f"Solution {solution_id}: answer ", answer, " ", right, notes),
        align="left",
        style="dim",
    )
    yield _steps(looked, pool, place)
    for model in looked.models:
        rewards = pool.rewards[model.name][place]
        if model.type.unit is not Unit.STEP:
            numbers = Text.assemble(escaped(model.name), ": ")
            scale = _scale_of(model)
            for reward in rewards or []:
                numbers.append_text(_painted(reward, scale)).append(" ")
            yield numbers if rewards else Text(f"{escaped(model.name)}: no rewards")
        for number, critique in enumerate(looked.critiques.get((place, model.name), [])):
            yield from _critique(critique, number)


def _steps(looked: _Looked, pool: QuestionPool, place: int) -> Table:
    models = [each for each in looked.models if each.type.unit is Unit.STEP]
    labels = pool.labels[place]
    header = ["", *(["Label"] if labels else []), *(escaped(each.name) for each in models)]
    table = _grid("", [*header, "Step"])
    for step, text in enumerate(looked.texts.steps.get(pool.solution_ids[place], [])):
        cells: list[str | Text] = [str(step + 1)]
        if labels:
            cells.append(_step_label(labels, step))
        for model in models:
            own = pool.rewards[model.name][place] or []
            cells.append(_painted(own[step] if step < len(own) else None, _scale_of(model)))
        table.add_row(*cells, _said(text))
    return table


def _step_label(labels: Sequence[int], step: int) -> Text:
    first = labels.index(0) if 0 in labels else len(labels)
    if step < first:
        return Text("✓", style="green")
    return Text("✗ first" if step == first else "after it", style="red")


def _critique(critique: Critique, number: int) -> Iterator[RenderableType]:
    title = Text.assemble(f"Critique {number + 1}: ", _painted(critique.reward, (0.0, 1.0)))
    if critique.reason:
        title.append(f" no reward ({escaped(critique.reason)})")
    if critique.truncated:
        title.append(" truncated")
    yield title
    start, end = critique.verdict or (len(critique.text),) * 2
    text = _said(critique.text[:start])
    text.append_text(_said(critique.text[start:end], "bold underline"))
    yield Padding(text.append_text(_said(critique.text[end:])), (0, 0, 0, 2))


def _tree(tree: Tree) -> Iterator[RenderableType]:
    yield Text()
    name = f"Search tree {escaped(tree.search)}" if tree.search else "Preference tree"
    yield Rule(Text(name), align="left", style="dim")
    worths = np.array([np.nan if node["worth"] is None else node["worth"] for node in tree.nodes])
    scale, depths = _scale(worths), dict[int, int]()
    children: dict[int | None, list[int]] = {}
    for place, node in enumerate(tree.nodes):
        children.setdefault(node["parent"], []).append(place)
    waiting = children.get(None, [])[::-1]
    while waiting:
        node = tree.nodes[waiting.pop()]
        own = children.get(node["node"], [])
        waiting += own[::-1]
        if node["parent"] is None:
            depths[node["node"]] = 0
            continue
        depth = depths[node["parent"]]
        # A chain without branches stays at one depth.
        depths[node["node"]] = depth + (len(own) > 1)
        line = Text.assemble(_painted(node["worth"], scale), f" ×{node['n']} ")
        if node["end"]:
            line.append(f"[{escaped(node['end'])}] ")
        if node["parsed_answer"] is not None:
            right = None if node["outcome"] is None else float(node["outcome"])
            line.append("answer ").append_text(_answer(node["parsed_answer"])).append(" ")
            line.append_text(_right(right)).append(" ")
        yield Padding(line.append_text(_said(node["text"])), (0, 0, 0, 2 * depth))


def _why(pool: QuestionPool, each: ExplainedChoice) -> Text:
    if each.basis is Basis.NO_ANSWERS:
        return Text("no solution gives an answer")
    return (
        _why_best(pool, each)
        if each.choice.selection is Selection.BEST_OF_N
        else _why_vote(pool, each)
    )


def _why_best(pool: QuestionPool, each: ExplainedChoice) -> Text:
    ids, tied, after = (
        pool.solution_ids,
        each.choice.positions,
        each.candidates[each.choice.n_tied :],
    )
    scores = pool.scores[each.scorer] if each.scorer else np.array([])
    if each.basis is Basis.NO_REWARDS:
        return Text(f"no solution has a reward: all {len(tied)} are as good")
    score = _number(scores[tied[0]])
    if len(tied) == 1:
        text = Text(f"solution {ids[tied[0]]} has the highest reward, {score}")
    else:
        n_right = int(pool.correct[list(tied)].sum())
        text = Text(f"{len(tied)} solutions tie at {score}, of which {n_right} are right")
    if after:
        (place,) = after[0].solutions
        text.append(f"; next: solution {ids[place]}, {_number(scores[place])}, answer ")
        text.append_text(_answer(pool.parsed[place]))
    return text


def _why_vote(pool: QuestionPool, each: ExplainedChoice) -> Text:
    text = Text()
    if each.basis is Basis.NO_REWARDS:
        text.append("no answered solution has a reward: all vote equally; ")
    if each.choice.n_tied > 1:
        text.append(f"{each.choice.n_tied} answers tie; ")
    is_sum = each.basis is Basis.REWARDS
    for number, candidate in enumerate(each.candidates[:_ANSWERS_SHOWN]):
        text.append(", " if number else "").append_text(
            _answer(pool.parsed[candidate.solutions[0]])
        )
        if candidate.worth is None:
            text.append(" no vote")
        elif is_sum:
            text.append(f" {_number(candidate.worth)} from {len(candidate.solutions)}")
        else:
            text.append(f" {candidate.worth:.0f}")
    left = len(each.candidates) - _ANSWERS_SHOWN
    return text.append(f", and {left} more" if left > 0 else "")


def _or(pool: QuestionPool, each: ExplainedChoice) -> Text:
    """The answers that are chosen, or that tie."""
    places = [candidate.solutions[0] for candidate in each.chosen]
    by_code = {int(pool.answers[place]): place for place in reversed(places)}
    answers = [_answer(pool.parsed[place]) for place in reversed(by_code.values())]
    return Text(" or ").join(answers) if answers else _answer(None)


def _label(pool: QuestionPool, scorer: tuple[str, str]) -> str:
    models = [each.model for each in pool.scores]
    return escaped(scorer[0] if models.count(scorer[0]) == 1 else f"{scorer[0]} {scorer[1]}")


def _scorer(pool: QuestionPool, each: ExplainedChoice) -> str:
    return _label(pool, each.scorer) if each.scorer else ""


def _grid(title: str, header: Sequence[str]) -> Table:
    table = Table(box=None, title=title or None, title_justify="left", title_style="bold")
    for name in header:
        # `Table.add_column` would take names for markup.
        table.add_column(Text(name), overflow="fold")
    return table


def _said(text: str, style: str = "") -> Text:
    """A text of models or data sets; its line ends are kept."""
    return Text("\n".join(map(escaped, text.split("\n"))), style=style)


def _answer(answer: str | None) -> Text:
    return Text("none", style="italic") if answer is None else Text(escaped(answer))


def _right(correct: float | None) -> Text:
    if correct is None:
        return Text("? unknown")
    if correct in (0, 1):
        return Text("✓ right", style="green") if correct else Text("✗ wrong", style="red")
    return Text(f"{correct:.0%} right")


def _scale_of(model: KnownModel) -> tuple[float, float] | None:
    """Scores without bounds have no colour, beside the aggregated ones of a pool."""
    return (0.0, 1.0) if model.type.scale is Scale.PROBABILITY else None


def _scale(values: np.ndarray) -> tuple[float, float] | None:
    """From which to which number colours run: 0 to 1, or as the numbers do where they are no probabilities."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    low, high = float(known.min()), float(known.max())
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def _painted(value: float | None, scale: tuple[float, float] | None) -> Text:
    if value is None or np.isnan(value):
        return Text("–")
    text = f" {_number(value)} "
    if scale is None:
        return Text(text)
    low, high = scale
    share = (value - low) / (high - low) if high > low else 0.5
    colour = _COLOURS[round(min(max(share, 0.0), 1.0) * (len(_COLOURS) - 1))]
    return Text(text, style=Style(color="#000000", bgcolor=colour))


def _number(value: float) -> str:
    size = abs(value)
    if 0 < size < 0.001:
        return f"{value:.1e}"
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.3f}"
