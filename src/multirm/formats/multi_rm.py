"""Multi-RM's layout (arXiv 2510.00492): a hub split, or a file `{category}.json`, per category.

Training rows hold one solution each (`q_id, question, cot_id, cot, parsed_answer, answer, labels`), test rows a
pool (`q_id, question, answer, cot_ids, cots, parsed_answers`), reward rows the rewards of a pool (`q_id, cot_ids,
rewards`). A solution is a list of steps, or one text that is split at blank lines. A null or blank answer is
missing. Null or empty `labels` mean no labels.

Tables hold more than this layout. What it lacks goes into keys of our own, each only where needed: `dataset` and
`model` of a row; `labels` in a pool, a list or null per solution; `outcomes` (`outcome` in a training row) if they
differ from what follows from the answers; `n_tokens_read`, `n_tokens_generated`, `flops` and `truncated` of each
solution with rewards; `unit` and `scale` of rewards; `verbatim: true` if stripping would change a text. Earlier
versions wrote `n_tokens` instead of the first two.

Answers are kept as written. The outcome label says whether the parsed answer equals the reference answer (see
`answers`); without a reference answer, whether all labelled steps are correct; without labels either, it is null.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from multirm.errors import InputError
from multirm.formats.json_source import Placed, Record, VerbatimRecord, as_record, each, read_json
from multirm.formats.sources import is_hub_name
from multirm.tables.rewards import COST_COLUMNS, separate_counts
from multirm.text.answers import spelled_alike
from multirm.text.labels import outcome_from_steps, split_steps

OUR_KEYS = frozenset(
    [
        *("dataset", "model", "labels", "outcome", "outcomes", "truncated", "verbatim"),
        *COST_COLUMNS,
        *("n_tokens", "unit", "scale"),
    ]
)
"""Keys of our own, in pools or reward rows, for what the layout has no field for."""

_SECONDS_TO_ANSWER = 10


def records_of(
    source: Sequence[str], category: str, suffix: str = "", prefixes: Sequence[str] = ("",)
) -> Iterator[Record]:
    """Read the rows of a category: from files, from folders with `{category}{suffix}.json`, or by `datasets`.

    Args:
        source: JSON files, local folders, hub names.
        category: also the name of the hub split.
        suffix: `_reward` for rewards.
        prefixes: possible prefixes of a file's name, the likeliest first.

    Raises:
        InputError: a source has no such category, cannot be read, or is empty.
    """
    for place in source:
        path = Path(place)
        if path.is_dir() and any(path.glob("*.json")):
            files = [path / f"{prefix}{category}{suffix}.json" for prefix in prefixes]
            path = next((file for file in files if file.is_file()), files[-1])
        if path.suffix == ".json":
            if not path.is_file():
                beside = ", ".join(sorted(file.name for file in path.parent.glob("*.json")))
                raise InputError(
                    path, expected="a file", found=f"only {beside}" if beside else "none"
                )
            yield from read_json([path])
        elif not path.exists() and not is_hub_name(place):
            raise missing(place, "a file, a folder or a hub name OWNER/NAME")
        else:
            yield from _load(place, category)


def missing(place: str, expected: str) -> InputError:
    """The error for a place that does not exist here and cannot be a hub name."""
    found = "nothing of that name"
    return InputError(
        place,
        expected=expected,
        found=found if Path(place).is_absolute() else f"{found} below {Path.cwd()}",
    )


def hub_names(source: Sequence[str]) -> list[str]:
    """The places that are not local, for the footer of what is read from them."""
    return [place for place in source if not Path(place).exists()]


def questions(records: Iterable[Record], category: str) -> Iterator[Placed]:
    """Rows of the questions table, without `dataset`: each question once; its options are part of its text."""
    asked: dict[str, tuple[str, str]] = {}
    for record in records:
        question_id = record.identifier("q_id")
        question, answer = record.text("question"), record.text("answer")
        if question_id not in asked:
            asked[question_id] = (question, answer)
            row = {"category": category, "question_id": question_id, "question": question}
            yield record.where, {**row, "options": None, "answer": answer}
        elif asked[question_id] != (question, answer):
            raise record.error(
                "q_id",
                expected="one question and answer for each",
                found=f"others for {question_id}",
            )


def solutions(records: Iterable[Record], category: str, judged: bool = True) -> Iterator[Placed]:
    """Rows of the solutions table, without `dataset`, from training or test rows.

    Args:
        judged: derive outcomes from the answers, for rows that do not give them; else they are null.
    """
    return each(map(_as_it_stands, records), lambda _, record: _solutions(record, category, judged))


def _solutions(record: Record, category: str, judged: bool) -> Iterator[Placed]:
    pool = _pool(record) if "cots" in record.values else [record]
    for attempt in pool:
        steps, labels = steps_of(attempt), _step_labels(attempt)
        if labels is not None and len(labels) != len(steps):
            raise attempt.error(
                "labels",
                expected=f"a label for each of {len(steps)} steps",
                found=f"{len(labels)} labels",
            )
        parsed, answer = attempt.optional_text("parsed_answer"), attempt.optional_text("answer")
        yield (
            attempt.where,
            {
                "category": category,
                "question_id": attempt.identifier("q_id"),
                "solution_id": attempt.integer("cot_id"),
                "question": attempt.text("question"),
                "answer": answer,
                "steps": steps,
                "parsed_answer": parsed,
                "outcome": _outcome(attempt, parsed, answer, labels, judged),
                "step_labels": labels,
            },
        )


def rewards(records: Iterable[Record], category: str) -> Iterator[Placed]:
    """Rows of the rewards table, without `dataset` and `model`.

    Null, NaN and an empty list are missing rewards, and stay missing. Rows written by us may give `unit` and
    `scale`; downloaded ones do not.
    """
    return each(map(_as_it_stands, records), lambda _, record: _rewards(record, category))


def _rewards(record: Record, category: str) -> Iterator[Placed]:
    solution_ids, lists = record.integers("cot_ids"), record.items("rewards")
    _refuse_other_length(record, "rewards", len(lists), len(solution_ids))
    unknown = [None] * len(solution_ids)
    truncated = record.truths("truncated") if "truncated" in record.values else unknown
    _refuse_other_length(record, "truncated", len(truncated), len(solution_ids))
    said = {
        name: record.text(name) if name in record.values else None for name in ("unit", "scale")
    }
    costs = _costs(record, len(solution_ids), said["unit"], truncated)
    for i, (solution_id, values) in enumerate(zip(solution_ids, lists, strict=True)):
        each = Record(record.where, {f"rewards[{i}]": values})
        if not isinstance(values, list):
            each = Record(record.where, {f"rewards[{i}]": [values]})
        found = each.numbers(f"rewards[{i}]")
        yield (
            record.where,
            {
                "category": category,
                "question_id": record.identifier("q_id"),
                "solution_id": solution_id,
                "rewards": found,
                **{name: of_name[i] for name, of_name in costs.items()},
                "truncated": truncated[i],
                **said,
            },
        )


def _costs(
    record: Record, n_solutions: int, unit: str | None, truncated: Sequence[bool | None]
) -> dict[str, Sequence[float | None]]:
    """What the rewards of each solution cost, by `COST_COLUMNS`; null where the row does not say."""
    costs: dict[str, Sequence[float | None]] = dict.fromkeys(COST_COLUMNS, [None] * n_solutions)
    if "n_tokens" in record.values:
        n_tokens = record.counts("n_tokens")
        _refuse_other_length(record, "n_tokens", len(n_tokens), n_solutions)
        pairs = [
            separate_counts(count, unit, is_truncated)
            for count, is_truncated in zip(n_tokens, truncated, strict=True)
        ]
        costs["n_tokens_read"] = [n_read for n_read, _ in pairs]
        costs["n_tokens_generated"] = [n_generated for _, n_generated in pairs]
    for name in costs:
        if name in record.values:
            costs[name] = record.numbers(name) if name == "flops" else record.counts(name)
            _refuse_other_length(record, name, len(costs[name]), n_solutions)
    return costs


def _pool(record: Record) -> Iterator[Record]:
    """A test row's solutions, each in the form of a training row."""
    solution_ids, chains = record.integers("cot_ids"), record.items("cots")
    parsed_answers = record.items("parsed_answers")
    if not solution_ids:
        raise record.error("cot_ids", expected="at least one solution", found="none")
    _refuse_other_length(record, "cots", len(chains), len(solution_ids))
    _refuse_other_length(record, "parsed_answers", len(parsed_answers), len(solution_ids))
    labels = record.items("labels") if "labels" in record.values else [None] * len(chains)
    _refuse_other_length(record, "labels", len(labels), len(solution_ids))
    outcomes = record.counts("outcomes") if "outcomes" in record.values else None
    if outcomes is not None:
        _refuse_other_length(record, "outcomes", len(outcomes), len(solution_ids))
    shared = {key: record.get(key) for key in ("q_id", "question", "answer")}
    pool = zip(solution_ids, chains, parsed_answers, labels, strict=True)
    for i, (solution_id, chain, parsed, rated) in enumerate(pool):
        own = {"cot_id": solution_id, "cot": chain, "parsed_answer": parsed, "labels": rated}
        if outcomes is not None:
            own["outcome"] = outcomes[i]
        yield type(record)(f"{record.where}, solution {i} of cots", {**shared, **own})


def _as_it_stands(record: Record) -> Record:
    verbatim = record.values.get("verbatim") is True
    return VerbatimRecord(record.where, record.values) if verbatim else record


def steps_of(record: Record) -> list[str]:
    """The steps of a row's `cot`, which is a list of them or one text."""
    if isinstance(record.get("cot"), str):
        return split_steps(record.text("cot"))
    return record.texts("cot")


def _step_labels(record: Record) -> list[int] | None:
    labels = record.integers("labels") if record.get("labels") is not None else []
    for label in labels:
        if label not in (1, -1):
            raise record.error(
                "labels",
                expected="1 (correct) or -1 (incorrect)",
                found=str(label),
                # In other datasets, 0 means incorrect or neutral.
                remedy="write -1 where 0 means incorrect, 1 where it means neutral"
                if label == 0
                else "",
            )
    return [int(label == 1) for label in labels] or None


def _outcome(
    attempt: Record,
    parsed: str | None,
    answer: str | None,
    labels: list[int] | None,
    judged: bool,
) -> int | None:
    if "outcome" in attempt.values:
        return None if attempt.get("outcome") is None else attempt.integer("outcome")
    return outcome_of(parsed, answer, labels) if judged or answer is None else None


def outcome_of(parsed: str | None, answer: str | None, labels: Sequence[int] | None) -> int | None:
    """The outcome label that follows from the answers or, without a reference answer, from the step labels."""
    if answer is not None:
        parsed, reference = spelled_alike(parsed, answer)
        return int(parsed == reference)
    return None if labels is None else outcome_from_steps(labels)


def _refuse_other_length(record: Record, key: str, found: int, expected: int) -> None:
    if found != expected:
        raise record.error(
            key, expected=f"one entry for each of {expected} cot_ids", found=f"{found} entries"
        )


def splits(place: str, expected: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of every category of a hub dataset, or of a local copy of one, in its order.

    Args:
        expected: what a place may be, for errors.

    Raises:
        InputError: it cannot be read, or has no rows.
    """
    if not Path(place).exists():
        _require_hub(place, expected)
    return {split: list(rows) for split, rows in _loaded(place, None, expected).items()}


def fetch_dataset(place: str) -> None:
    """Download a hub dataset into the cache that it will be read from.

    Raises:
        InputError: it cannot be downloaded.
    """
    expected = "a hub dataset"
    _require_hub(place, expected)
    _loaded(place, None, expected)


def _require_hub(place: str, expected: str) -> None:
    """Try the connection once, briefly: without one, `datasets` retries for half a minute."""
    # Imported late: local files do not need them.
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return
    request = Request(constants.ENDPOINT, method="HEAD")
    try:
        with urlopen(request, timeout=_SECONDS_TO_ANSWER):
            pass
    except HTTPError:
        return
    except (OSError, HTTPException) as error:
        raise InputError(
            place,
            expected=expected,
            found=f"no such folder below {Path.cwd()}, and no connection to the hub",
            remedy="check the spelling and the connection, or set HF_HUB_OFFLINE=1 to use earlier downloads",
        ) from error


def _load(place: str, category: str) -> Iterator[Record]:
    rows = _loaded(place, category, f"a folder or hub dataset with the split {category}")
    if not len(rows):
        raise InputError(f"{place}, split {category}", expected="at least one row", found="none")
    for number, row in enumerate(rows, start=1):
        yield as_record(f"{place}, split {category}, row {number}", row)


def _loaded(place: str, split: str | None, expected: str) -> Any:
    """Load a place with `datasets`: one split, or all of them by name. Never runs code from the place."""
    # Imported late: plain JSON, the common case, does not need it.
    import datasets

    # Their messages are in the error, too.
    for name in ("huggingface_hub", "datasets"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        return datasets.load_dataset(place, split=split)
    except (
        # `datasets` raises RuntimeError for places with a loading script.
        *(OSError, ValueError, datasets.exceptions.DatasetsError),
        RuntimeError,
    ) as error:
        raise InputError(
            place, expected=expected, found=_found(place, error), remedy=_remedy(place, error)
        ) from error


def _found(place: str, error: Exception) -> str:
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return (
        first
        if Path(place).exists()
        else f"no such folder below {Path.cwd()}, and on the hub: {first}"
    )


def _remedy(place: str, error: Exception) -> str:
    from huggingface_hub import constants

    if Path(place).exists():
        return "check the files in it"
    if "gated dataset" in str(error):
        return "accept its terms on the hub, and set HF_TOKEN to a token of the same account"
    if constants.HF_HUB_OFFLINE:
        return (
            "run `multirm prefetch STUDY` on a machine with network access, or unset HF_HUB_OFFLINE"
        )
    return "check the spelling, the connection and, if it is not public, HF_TOKEN"
