"""`multirm COMMAND`: every stage's entry function, its signature being the command line."""

import atexit
import functools
import gc
import importlib
import inspect
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from enum import StrEnum
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

from cyclopts import App, CoercionError, CycloptsError, Group, Parameter
from cyclopts import ValidationError as BadValue
from pydantic import ValidationError

from multirm.errors import InputError, did_you_mean, escaped, one_of, permitted, shown
from multirm.running import interrupts
from multirm.version import VERSION

# Import path and description: `multirm evaluate` does not wait for torch.
COMMANDS = {
    "Data": {
        "generate-miniature": (
            "multirm.data.miniature.generate:generate_miniature",
            "Write questions about facts and a simulated policy's answers.",
        ),
        "read-questions": (
            "multirm.data.read:read_questions",
            "Read questions from published files.",
        ),
        "read-solutions": (
            "multirm.data.read:read_solutions",
            "Read solutions from published files or the hub.",
        ),
        "read-rewards": ("multirm.data.read:read_rewards", "Read published rewards."),
        "read-critiques": (
            "multirm.data.published_critiques:read_critiques",
            "Read published critiques.",
        ),
        "add-noise": (
            "multirm.data.noise:add_noise",
            "Flip labels of a random share of solutions.",
        ),
        "shuffle-steps": (
            "multirm.data.shuffle:shuffle_steps",
            "Replace intermediate steps by those of solutions to other questions.",
        ),
        "take": (
            "multirm.data.take:take",
            "Keep some questions, solutions to each, or first steps.",
        ),
        "convert": (
            "multirm.formats.convert:convert",
            "Convert between our tables and the published layout.",
        ),
        "read-pairs": (
            "multirm.data.judgebench:read_pairs",
            "Read pairs of answers, one of them better, with a reward model's scores.",
        ),
        "demonstrate": (
            "multirm.data.demonstrations:demonstrate",
            "Write critiques of the right form from step labels.",
        ),
    },
    "Critiques": {
        "generate-critiques": (
            "multirm.critiques.generate:generate_critiques",
            "Let a teacher verify solutions.",
        ),
        "filter-critiques": (
            "multirm.critiques.filter:filter_critiques",
            "Mark the critiques not to learn from, with reasons.",
        ),
        "shorten-critiques": (
            "multirm.critiques.shorten:shorten_critiques",
            "Cut critiques down to thought and verdict.",
        ),
        "check-critiques": (
            "multirm.critiques.check:check_critiques",
            "Count critiques by what became of them, what they say and what they look like.",
        ),
        "list-tokens": (
            "multirm.critiques.tokens:list_tokens",
            "List the tokens of a critique that is learned from, and which of them are learned.",
        ),
    },
    "Training": {
        "pretrain-backbone": (
            "multirm.training.backbone:pretrain_backbone",
            "Train a small decoder and its tokenizer from scratch.",
        ),
        "train-discriminative": (
            "multirm.training.discriminative:train_discriminative",
            "Train a dORM or dPRM.",
        ),
        "train-generative": (
            "multirm.training.generative:train_generative",
            "Train a gORM or gPRM.",
        ),
        "merge-adapter": (
            "multirm.training.merge:merge_adapter",
            "Add an adapter's weights to its backbone's.",
        ),
    },
    "Scoring": {
        "score-discriminative": (
            "multirm.scoring.discriminative:score_discriminative",
            "Score the steps of solutions.",
        ),
        "score-generative": (
            "multirm.scoring.generative:score_generative",
            "Score solutions by sampled critiques.",
        ),
        "join-shards": (
            "multirm.scoring.shards:join_shards",
            "Put the parts of a table of rewards or critiques together.",
        ),
    },
    "Evaluation": {
        "evaluate": (
            "multirm.evaluation.accuracy:evaluate",
            "Select answers with rewards and say how many are right.",
        ),
        "measure-uncertainty": (
            "multirm.evaluation.uncertainty:measure_uncertainty",
            "Say what an accuracy's uncertainty is made of, and what more critiques bring.",
        ),
        "evaluate-verification": (
            "multirm.evaluation.verification:evaluate_verification",
            "Say how well rewards tell right from wrong: F1, curves, calibration.",
        ),
        "evaluate-pairs": (
            "multirm.evaluation.pairs:evaluate_pairs",
            "Say how often the better of two answers has the higher score.",
        ),
        "summary": (
            "multirm.inspect.summary:summarise_study",
            "Print accuracies per reward model.",
        ),
        "query": ("multirm.inspect.query:query", "Run SQL over the tables."),
        "trace": (
            "multirm.inspect.trace:trace",
            "Print what a table, figure or model was made of, back to the beginning.",
        ),
    },
    "Figures": {
        "draw-accuracy-grid": (
            "multirm.figures.accuracy_grid:draw_accuracy_grid",
            "Draw accuracy against N per category.",
        ),
        "draw-legend": (
            "multirm.figures.legend:draw_legend",
            "Draw the legend of that figure by itself.",
        ),
    },
    "Project": {
        "check-study": (
            "multirm.study.load:check_study",
            "Check a study before anything is made from it.",
        ),
        "prefetch": (
            "multirm.site.prefetch:prefetch",
            "Download what a study needs from the hub, for jobs without a network.",
        ),
        "write-schema": ("multirm.study.load:write_schema", "Write the JSON schema of a study."),
    },
}

NUMBERS = {int: "a whole number", float: "a number"}


def build_app(asked: str = "") -> App:
    """The command line, with the stages' modules left unimported until they are asked for.

    Args:
        asked: the command that will be run, if that is known: its usage shows what may be left unnamed.
    """
    app = App(
        name="multirm",
        help="Train the four kinds of LLM reward model, score pools, and compare them honestly.",
        version=VERSION,
        default_parameter=Parameter(consume_multiple=True, negative=(), name_transform=_as_typed),
    )
    for order, (stage, commands) in enumerate(COMMANDS.items()):
        group = Group(stage, sort_key=order)
        for name, (target, description) in commands.items():
            entry = _unambiguous(target) if name == asked else target
            app.command(entry, name=name, group=group, help=description)
    return app


def _unambiguous(target: str) -> Callable[..., None]:
    """An entry function, all of whose parameters are named if one of several words would take in those after it."""
    module, name = target.split(":")
    entry: Callable[..., None] = getattr(importlib.import_module(module), name)
    signature = inspect.signature(entry)
    hints = get_type_hints(entry)
    *followed, _ = (hints[name] for name in signature.parameters)
    if not any(map(_is_several_words, followed)):
        return entry
    named = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in signature.parameters.values()
    ]

    @functools.wraps(entry)
    def run(**given: Any) -> None:
        entry(**given)

    run.__signature__ = signature.replace(parameters=named)  # type: ignore[attr-defined]
    return run


def _is_several_words(hint: Any) -> bool:
    return (
        get_origin(hint) is list
        or is_dataclass(hint)
        or any(map(_is_several_words, get_args(hint)))
    )


def _spare_the_last_collection() -> None:
    # Only where torch is: DuckDB and vLLM complain of leaks where their objects are not collected.
    if "torch" in sys.modules and not {"duckdb", "vllm"} & sys.modules.keys():
        gc.freeze()


def _as_typed(name: str) -> str:
    """How parameters and members of closed sets are matched: `gPRM`, `gsm8k`, `best_of_n` as written."""
    return name.lower().replace("_", "-")


def _mistyped(error: CycloptsError) -> str:
    """What is wrong with a command line, in one line, members of closed sets spelled as they are written."""
    reason = error.__cause__
    if isinstance(reason, ValidationError) and isinstance(error, BadValue) and error.argument:
        details = reason.errors(include_url=False)[0]
        expected, found = permitted(details["msg"]), shown(details["input"])
        return str(InputError(error.argument.name, expected=expected, found=found))
    if isinstance(error, CoercionError) and error.token and error.argument:
        kind, word = error.target_type, error.token.value
        where, found = error.argument.name, shown(word)
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            members = list(kind)
            expected, remedy = one_of(members), did_you_mean(word, members)
            return str(InputError(where, expected=expected, found=found, remedy=remedy))
        if kind in NUMBERS:
            return str(InputError(where, expected=NUMBERS[kind], found=found))
    return escaped(" ".join(str(error).split()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; what a person can mend is one line on stderr and exit code 2.

    Args:
        arguments: the command and its options; those of this process where null.
    """
    # torch and transformers are a million objects that live as long as the process: looking for
    # garbage among them, while they are imported and once more at the end, costs each job over a second.
    gc.set_threshold(50_000)
    atexit.register(_spare_the_last_collection)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_EscapingFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        words = sys.argv[1:] if arguments is None else arguments
        _refuse_nothing(words)
        command, given, _ = build_app(next(iter(words), "")).parse_args(
            words, print_error=False, exit_on_error=False
        )
        with interrupts.ended_in_order():
            command(*given.args, **given.kwargs)
    except BaseException as error:
        if interrupts.is_interrupt(error):
            _leave("interrupted", interrupts.STATUS)
        if isinstance(error, CycloptsError):
            _leave(_mistyped(error), 2)
        if isinstance(error, InputError):
            _leave(str(error), 2)
        raise


def _refuse_nothing(words: Sequence[str]) -> None:
    """Refuse an empty argument: as a path it would be the working directory, and as a name nothing."""
    for number, word in enumerate(words):
        if not word:
            option = next((each for each in reversed(words[:number]) if each.startswith("--")), "")
            raise InputError(option or f"argument {number}", expected="a value", found="''")


def _leave(line: str, status: int) -> NoReturn:
    sys.stderr.write(f"multirm: {line}\n")
    sys.exit(status)


class _EscapingFormatter(logging.Formatter):
    """Names and ids in log lines come from data: a terminal shows their control characters, and does not obey them."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return escaped(super().formatMessage(record))
