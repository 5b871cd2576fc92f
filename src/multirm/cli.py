"""`multirm COMMAND`: each command is an entry function, whose signature is the command line."""

import atexit
import functools
import gc
import importlib
import inspect
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import is_dataclass
from enum import StrEnum
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

from cyclopts import (
    App,
    Argument,
    CoercionError,
    CycloptsError,
    Group,
    MissingArgumentError,
    Parameter,
)
from cyclopts import ValidationError as BadValue
from pydantic import ValidationError

from multirm.errors import (
    InputError,
    WaitingError,
    did_you_mean,
    escaped,
    one_of,
    permitted,
    shown,
)
from multirm.running import heartbeat, interrupts
from multirm.running.usage import as_typed, spellings, usage_of, without_its_name
from multirm.study.figures import FIGURES
from multirm.study.report_tables import REPORT_TABLES
from multirm.version import VERSION

# By import path, so that `multirm evaluate` does not import torch.
COMMANDS = {
    "Data": {
        "import": (
            "multirm.data.import_own:import_own",
            "Read your own solutions and rewards, from files with any columns.",
        ),
        "generate-miniature": (
            "multirm.data.miniature.generate:generate_miniature",
            "Write questions about facts and a simulated policy's answers.",
        ),
        "generate-questions": (
            "multirm.data.miniature.bare_questions:generate_questions",
            "Write questions about facts, without answers of a policy.",
        ),
        "read-questions": (
            "multirm.data.read:read_questions",
            "Read questions from a benchmark's own files.",
        ),
        "read-solutions": (
            "multirm.data.read:read_solutions",
            "Read solutions from files or the hub.",
        ),
        "sample-solutions": (
            "multirm.data.sample_solutions:sample_solutions",
            "Let a policy answer questions, several times each, after worked examples.",
        ),
        "read-rewards": ("multirm.data.read:read_rewards", "Read rewards from files or the hub."),
        "read-critiques": (
            "multirm.data.published_critiques:read_critiques",
            "Read critiques from files or the hub.",
        ),
        "check-steps": (
            "multirm.data.miniature.check:check_steps",
            "Label steps of the miniature's solutions by the facts.",
        ),
        "agree-labels": (
            "multirm.data.agree_labels:agree_labels",
            "Keep the labels of solutions on whose first bad step several sources agree.",
        ),
        "trust-labels": (
            "multirm.data.trust_labels:trust_labels",
            "Drop step labels that a reward model's rewards contradict.",
        ),
        "choose-labels": (
            "multirm.data.choose_labels:choose_labels",
            "Give solutions the step labels of a table of labels.",
        ),
        "judge-steps": (
            "multirm.data.judge_steps:judge_steps",
            "Have a language model name the first bad step of solutions.",
        ),
        "continue-steps": (
            "multirm.data.continue_steps:continue_steps",
            "Label steps by how often a policy goes on to the right answer.",
        ),
        "measure-continuation-shares": (
            "multirm.data.continuation_shares:measure_continuation_shares",
            "Compare how often a policy goes on to the right answer with guessing.",
        ),
        "augment-steps": (
            "multirm.data.augment_steps:augment_steps",
            "Have a language model write steps of solutions anew, wrong or in other words.",
        ),
        "add-noise": (
            "multirm.data.noise:add_noise",
            "Flip labels of randomly chosen solutions.",
        ),
        "add-noise-to-labels": (
            "multirm.data.noisy_labels:add_noise_to_labels",
            "Flip the labels in a labels table, of the same steps.",
        ),
        "shuffle-steps": (
            "multirm.data.shuffle:shuffle_steps",
            "Replace intermediate steps with steps from solutions to other questions.",
        ),
        "take": (
            "multirm.data.take:take",
            "Keep some questions, some solutions to each, or only the first steps.",
        ),
        "convert": (
            "multirm.formats.convert:convert",
            "Convert between our tables and Multi-RM's layout.",
        ),
        "read-responses": (
            "multirm.data.reward_benchmarks.read:read_responses",
            "Read a reward-model benchmark: prompts with better and worse responses.",
        ),
        "prefer-responses": (
            "multirm.data.reward_benchmarks.preferences:prefer_responses",
            "Write better and worse responses as preferences to train on.",
        ),
        "truncate-responses": (
            "multirm.data.reward_benchmarks.truncate:truncate_responses",
            "Add variants of a benchmark's responses of which only the beginning is shown.",
        ),
        "demonstrate": (
            "multirm.data.demonstrations:demonstrate",
            "Write well-formed critiques from step labels.",
        ),
        "demonstrate-task": (
            "multirm.data.task_demonstrations:demonstrate_task",
            "Write conversations from known solutions, for a backbone to learn.",
        ),
    },
    "Critiques": {
        "generate-critiques": (
            "multirm.critiques.generate:generate_critiques",
            "Let a teacher verify solutions.",
        ),
        "filter-critiques": (
            "multirm.critiques.filter:filter_critiques",
            "Mark the critiques to leave out of training, with reasons.",
        ),
        "shorten-critiques": (
            "multirm.critiques.shorten:shorten_critiques",
            "Cut critiques down to the thinking and the verdict.",
        ),
        "check-critiques": (
            "multirm.critiques.check:check_critiques",
            "Count critiques by filtering result, verdict and form.",
        ),
        "list-tokens": (
            "multirm.critiques.tokens:list_tokens",
            "List the tokens of a training critique, and which of them carry loss.",
        ),
    },
    "Trees": {
        "build-trees": (
            "multirm.trees.build:build_trees",
            "Merge solutions to each question into a preference tree.",
        ),
        "extract-pairs": (
            "multirm.trees.extract:extract_pairs",
            "Write pairs of steps that begin alike and end in different rewards.",
        ),
        "count-trees": (
            "multirm.trees.count:count_trees",
            "Count nodes and pairs of preference trees in other orders, and with other things kept apart.",
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
        "train-pairwise": (
            "multirm.training.pairwise:train_pairwise",
            "Train a reward model from pairs of which one side is better.",
        ),
        "merge-adapter": (
            "multirm.training.merge:merge_adapter",
            "Merge an adapter into its backbone.",
        ),
        "export-token-classifier": (
            "multirm.training.export:export_token_classifier",
            "Write a dORM or dPRM as a token classifier for transformers and vLLM.",
        ),
    },
    "Scoring": {
        "score-discriminative": (
            "multirm.scoring.discriminative:score_discriminative",
            "Score the steps of solutions.",
        ),
        "score-generative": (
            "multirm.scoring.generative:score_generative",
            "Score solutions by the verdicts of sampled critiques.",
        ),
        "join-shards": (
            "multirm.scoring.shards:join_shards",
            "Join the shards of a table of rewards or critiques.",
        ),
    },
    "Search": {
        "search": (
            "multirm.search.search:search",
            "Let a policy and a reward model search for answers together.",
        ),
    },
    "Evaluation": {
        "describe-reward-models": (
            "multirm.evaluation.describe:describe_reward_models",
            "Write down what is known of the reward models that are evaluated together.",
        ),
        "evaluate": (
            "multirm.evaluation.accuracy:evaluate",
            "Select answers by their rewards, and report accuracy.",
        ),
        "measure-uncertainty": (
            "multirm.evaluation.uncertainty:measure_uncertainty",
            "Split an accuracy's variance into its sources, and estimate what more critiques would gain.",
        ),
        "evaluate-verification": (
            "multirm.evaluation.verification:evaluate_verification",
            "Measure how well rewards predict correctness: F1, curves, calibration.",
        ),
        "analyse-solutions": (
            "multirm.evaluation.solution_analyses:analyse_solutions",
            "Analyse where models are right: by length, after incorrect steps, and which agree.",
        ),
        "compare-datasets": (
            "multirm.evaluation.changes:compare_datasets",
            "Compare accuracies on a dataset with those on another one with the same questions.",
        ),
        "measure-log-errors": (
            "multirm.evaluation.log_errors:measure_log_errors",
            "Measure how far rewards of correct solutions are from 1, by number of steps.",
        ),
        "simulate-log-errors": (
            "multirm.evaluation.log_error_simulation:simulate_log_errors",
            "Simulate errors of process and outcome reward models by number of steps, with their bounds.",
        ),
        "measure-error-depths": (
            "multirm.evaluation.error_depths:measure_error_depths",
            "Measure how rewards tell right from wrong solutions by where the first error is.",
        ),
        "compare-labels": (
            "multirm.evaluation.label_agreement:compare_labels",
            "Compare step labels of several sources with known ones.",
        ),
        "compare-domains": (
            "multirm.evaluation.domains:compare_domains",
            "Compare models trained on several categories with models trained on one.",
        ),
        "measure-length-shift": (
            "multirm.evaluation.length_shift:measure_length_shift",
            "Compare the lengths of training solutions with those of the evaluated ones.",
        ),
        "evaluate-responses": (
            "multirm.evaluation.responses:evaluate_responses",
            "Measure how often reward models prefer the better responses of a benchmark.",
        ),
        "evaluate-searches": (
            "multirm.evaluation.searches:evaluate_searches",
            "Report the accuracy of searches beside their costs, and gains over best-of-N at equal cost.",
        ),
        "report": (
            "multirm.report.page.page:report_page",
            "Write a page that shows an evaluation, in one file.",
        ),
        "summary": (
            "multirm.inspect.summary:summarise_study",
            "Print which reward models beat the majority vote, and accuracies.",
        ),
        "show": (
            "multirm.inspect.show:show",
            "Print a question, its solutions with their rewards, and what was chosen and why.",
        ),
        "query": ("multirm.inspect.query:query", "Run SQL over the tables."),
        "status": (
            "multirm.inspect.status:status",
            "Show what of a study is made, stale, missing or failed, and the time left.",
        ),
        "trace": (
            "multirm.inspect.trace:trace",
            "Print what a table, figure or model was made from, back to the original inputs.",
        ),
    },
    "Figures": {
        **{each.command: (each.entry, each.says) for each in FIGURES.values()},
        "draw-response-accuracy": (
            "multirm.figures.response_accuracy:draw_response_accuracy",
            "Draw how often reward models prefer the better responses of a benchmark.",
        ),
        "draw-accuracy-by-shown": (
            "multirm.figures.accuracy_by_shown:draw_accuracy_by_shown",
            "Draw how often they do when they see the first characters only.",
        ),
        "draw-reward-densities": (
            "multirm.figures.reward_densities:draw_reward_densities",
            "Draw the rewards of better and of worse responses.",
        ),
        "draw-reward-by-length": (
            "multirm.figures.reward_by_length:draw_reward_by_length",
            "Draw rewards against the length of responses.",
        ),
        "draw-search-accuracy": (
            "multirm.figures.search_accuracy:draw_search_accuracy",
            "Draw the accuracy of searches against their costs, and gains over best-of-N.",
        ),
        "draw-search-tree": (
            "multirm.figures.search_tree:draw_search_tree",
            "Draw the tree of one search: what each step was worth, and where solutions ended.",
        ),
    },
    "Tables": {each.command: (each.entry, each.says) for each in REPORT_TABLES.values()},
    "Project": {
        "check-study": (
            "multirm.study.load:check_study",
            "Check a study before running it.",
        ),
        "prefetch": (
            "multirm.site.prefetch:prefetch",
            "Download what a study needs from the hub, for jobs without network access.",
        ),
        "write-schema": ("multirm.study.load:write_schema", "Write the JSON schema of a study."),
    },
}

WAITING_STATUS = 75
"""The exit status of a job that waits for files made elsewhere: "try again" in sysexits.h."""

_EXTRAS = {"vllm": "vllm", "liger-kernel": "cuda"}
"""The extras of packages that even the extra `pipeline` leaves out."""

AFTERWARDS = {
    "evaluate": "multirm.inspect.findings:print_findings",
    "report": "multirm.inspect.findings:print_page",
}
"""What is called with a command's arguments once it has succeeded. It is no part of the command, so that what it prints
makes no results stale."""

INSTALL_COMPLETION = "--install-completion"

NUMBERS = {int: "a whole number", float: "a number"}


def build_app(asked: str = "") -> App:
    """Build the command line. A command's module is imported only when that command runs.

    Args:
        asked: the command that will run, if known. Its `--help` has its whole docstring, a line of usage that can be
            typed, and the members of closed sets as they are written in studies. Completion has those of all.
    """
    entries = {
        name: _unambiguous(target) if name == asked else _if_installed(target)
        for commands in COMMANDS.values()
        for name, (target, _) in commands.items()
        if asked in (name, INSTALL_COMPLETION)
    }
    parameters = Parameter(
        consume_multiple=True, negative=(), name_transform=_naming(entries.values())
    )
    app = App(
        name="multirm",
        help="Train the four kinds of LLM reward model, score pools, and compare them honestly.",
        version=VERSION,
        default_parameter=parameters,
    )
    for order, (stage, commands) in enumerate(COMMANDS.items()):
        group = Group(stage, sort_key=order)
        for name, (target, description) in commands.items():
            if name == asked:
                app.command(entries[name], name=name, group=group)
            else:
                # Completions show this as well.
                entry = entries.get(name, target)
                app.command(entry, name=name, group=group, help=description)
    app.register_install_completion_command(
        INSTALL_COMPLETION,
        help="Let your shell (bash, zsh or fish) complete commands, options and their values with the Tab key.",
    )
    if asked in entries:
        command = app[asked]
        # For those who take the command from the app, such as our reference.
        command.default_parameter = parameters
        command.usage = f"Usage: {usage_of(asked, command.assemble_argument_collection())}"
    return app


def _loaded(target: str) -> Callable[..., None]:
    """A function by its module and name."""
    module, name = target.split(":")
    function: Callable[..., None] = getattr(importlib.import_module(module), name)
    return function


def _if_installed(target: str) -> Callable[..., None]:
    """An entry function; one without parameters if its packages are not installed, so that its name is completed."""
    try:
        return _unambiguous(target)
    except ImportError:
        return _without_parameters


def _without_parameters() -> None: ...


def _naming(entries: Iterable[Callable[..., None]]) -> Callable[[str], str]:
    """How names of parameters are typed, and members of closed sets, which are spelled as they are written."""
    spelled = {typed: word for entry in entries for typed, word in spellings(entry).items()}

    def typed(name: str) -> str:
        return spelled.get(as_typed(name), as_typed(name))

    return typed


def _unambiguous(target: str) -> Callable[..., None]:
    """An entry function, made keyword-only if a parameter that takes several words would swallow those after it.

    The first one may still stand without its name if it is a list: `multirm import FILE FILE --output FOLDER`.
    """
    entry = _loaded(target)
    signature = inspect.signature(entry)
    hints = get_type_hints(entry)
    *followed, _ = (hints[name] for name in signature.parameters)
    if not any(map(_is_several_words, followed)):
        return entry
    first, *others = signature.parameters.values()
    is_list = get_origin(hints[first.name]) is list
    named = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in others]
    named.insert(0, first if is_list else first.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(entry)
    def run(*words: Any, **given: Any) -> None:
        entry(*words, **given)

    run.__signature__ = signature.replace(parameters=named)  # type: ignore[attr-defined]
    return run


def _is_several_words(hint: Any) -> bool:
    return (
        get_origin(hint) is list
        or is_dataclass(hint)
        or any(map(_is_several_words, get_args(hint)))
    )


def _spare_the_last_collection() -> None:
    # Only with torch: DuckDB and vLLM report leaks if their objects are not collected.
    if "torch" in sys.modules and not {"duckdb", "vllm"} & sys.modules.keys():
        gc.freeze()


def _mistyped(error: CycloptsError) -> str:
    """Describe a command-line mistake in one line, with enum members spelled as users write them."""
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
    if isinstance(error, MissingArgumentError) and error.argument:
        return str(_lacking(error, error.argument))
    return escaped(" ".join(str(error).split()))


def _lacking(error: MissingArgumentError, argument: Argument) -> InputError:
    """That an option lacks its value, or a command what it requires: then, how it is typed."""
    typed = error.keyword or next((each.keyword for each in argument.tokens if each.keyword), None)
    if typed is not None:
        return InputError(typed, expected="a value", found="none")
    name = argument.name
    if argument.field_info.is_positional:
        name = without_its_name(argument)
    usage = str(error.app.usage if error.app else "").removeprefix("Usage: ")
    where = " ".join(error.command_chain or ())
    return InputError(where, expected=name, found="none", remedy=f"type {usage}" if usage else "")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; an error that the user can fix is one line on stderr and exit code 2, or 75 if the job waits.

    Args:
        arguments: the command and its options; `sys.argv[1:]` if None.
    """
    # torch and transformers create a million objects that live as long as the process. Garbage
    # collection over them, during import and again at exit, costs each job over a second.
    gc.set_threshold(50_000)
    atexit.register(_spare_the_last_collection)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_EscapingFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        # Without a command, all of them are listed.
        arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
        _refuse_empty(arguments)
        _refuse_unknown(arguments[0])
        command, given, _ = build_app(next(iter(arguments), "")).parse_args(
            arguments, print_error=False, exit_on_error=False
        )
        with interrupts.ended_in_order(), heartbeat.heard():
            command(*given.args, **given.kwargs)
            # Not after `--help`, which is a command with other arguments.
            if arguments[0] in AFTERWARDS and "output" in given.arguments:
                _loaded(AFTERWARDS[arguments[0]])(given.arguments)
    except BaseException as error:
        if interrupts.is_interrupt(error):
            _leave("interrupted", interrupts.STATUS)
        if isinstance(error, CycloptsError):
            _leave(_mistyped(error), 2)
        if isinstance(error, WaitingError):
            _leave(str(error), WAITING_STATUS)
        if isinstance(error, InputError):
            _leave(str(error), 2)
        if isinstance(error, ModuleNotFoundError) and _is_optional(error.name):
            command_named = next(iter(arguments or []), "this command")
            _leave(_how_to_install(command_named, str(error.name)), 2)
        raise


def _is_optional(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] != "multirm"


def _how_to_install(command: str, module: str) -> str:
    """How to install the package that a command lacks: evaluation needs few of them, the pipeline many."""
    package = module.partition(".")[0].replace("_", "-")
    extra = _EXTRAS.get(package, "pipeline")
    return (
        f"{command} needs the package {package}: pip install '.[{extra}]' in the folder of multirm"
    )


def _refuse_unknown(command: str) -> None:
    """Refuse a command that there is not; cyclopts would import all modules, torch among them, to say so."""
    names = [name for commands in COMMANDS.values() for name in commands]
    if not command.startswith("-") and command not in names:
        raise InputError(
            command,
            expected="a command",
            found="none of this name",
            remedy=did_you_mean(command, names) or "multirm --help lists them",
        )


def _refuse_empty(arguments: Sequence[str]) -> None:
    """Refuse an empty argument: as a path it would mean the working directory."""
    for number, argument in enumerate(arguments):
        if not argument:
            before = reversed(arguments[:number])
            option = next((each for each in before if each.startswith("--")), "")
            raise InputError(option or f"argument {number}", expected="a value", found="''")


def _leave(line: str, status: int) -> NoReturn:
    sys.stderr.write(f"multirm: {line}\n")
    sys.exit(status)


class _EscapingFormatter(logging.Formatter):
    """Escapes control characters: names and ids in log lines come from data."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return escaped(super().formatMessage(record))
