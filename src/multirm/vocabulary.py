"""The closed sets that code, tables, configuration and documentation share: one word for one thing."""

import re
from collections.abc import Iterable
from enum import StrEnum

OVERALL = "Overall"
"""What the macro-average over categories is called where a category's name stands: no category's name."""

# What the published layout calls these two.
MAJORITY_VOTE_NAME = "MV"
PASS_NAME = "Pass@N"

RESERVED_NAMES = (MAJORITY_VOTE_NAME, PASS_NAME, OVERALL)
"""What tables and figures call something else than a reward model: no reward model's names."""


def trained_name(model: str, seed: int) -> str:
    """What a reward model is called that was trained with another than the study's first seed."""
    return f"{model}@{seed}"


def mean_name(model: str) -> str:
    """What the mean over several trainings of a reward model is called where the name of one would stand."""
    return f"{model}@mean"


def model_of(name: str) -> str:
    """The reward model that something so called is a training of, or their mean: what stands before the @.

    Other names, also such as `model@main`, are those of models themselves.
    """
    found = re.fullmatch(r"(.+)@(?:[0-9]+|mean)", name)
    return found[1] if found else name


def shown_models(names: Iterable[str]) -> dict[str, str]:
    """What a person is shown of a table's models, and as what: of a model with several trainings their mean."""
    every = list(dict.fromkeys(names))
    shown = {}
    for name in every:
        model, mean = model_of(name), mean_name(model_of(name))
        if mean in every:
            n_seeds = sum(model_of(other) == model for other in every) - 1
            shown[mean] = f"{model} ({n_seeds} seeds)"
        else:
            shown[name] = name
    return shown


class Kind(StrEnum):
    """The four kinds of reward model: discriminative or generative × outcome or process."""

    DORM = "dORM"
    DPRM = "dPRM"
    GORM = "gORM"
    GPRM = "gPRM"

    @property
    def is_generative(self) -> bool:
        return self in (Kind.GORM, Kind.GPRM)

    @property
    def is_process(self) -> bool:
        return self in (Kind.DPRM, Kind.GPRM)

    @property
    def default_aggregation(self) -> "Aggregation":
        """The aggregation that Multi-RM (arXiv 2510.00492) evaluates this kind with."""
        return {
            Kind.DORM: Aggregation.LAST,
            Kind.DPRM: Aggregation.MIN,
            Kind.GORM: Aggregation.MEAN,
            Kind.GPRM: Aggregation.MEAN,
        }[self]


class Aggregation(StrEnum):
    """How a list of rewards becomes the solution's reward."""

    LAST = "last"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"
    PROD = "prod"
    POSITION_WEIGHTED_MEAN = "position_weighted_mean"
    MIN_DELTA = "min_delta"
    MAX_DELTA = "max_delta"

    @property
    def is_probability(self) -> bool:
        """Whether it makes a number from 0 to 1 of such numbers; a delta is one from -1 to 1."""
        return self not in (Aggregation.MIN_DELTA, Aggregation.MAX_DELTA)


class Parallelism(StrEnum):
    """What the processes of one training share out among them."""

    DDP = "ddp"
    """Batches: each process has the whole model."""
    FSDP = "fsdp"
    """Batches, and the model's weights."""


class Layout(StrEnum):
    """How solutions and rewards lie in a folder: our own tables, or the published JSON."""

    TABLES = "tables"
    PUBLISHED = "published"


class Content(StrEnum):
    """What both layouts can hold."""

    SOLUTIONS = "solutions"
    REWARDS = "rewards"


class Estimator(StrEnum):
    """How the accuracy of a selection is estimated: `exact` is the expectation over all subpools of N."""

    EXACT = "exact"
    PAPER = "paper"


class Selection(StrEnum):
    """How a pool becomes one answer. `PASS` is the ceiling: right if any solution is."""

    BEST_OF_N = "best_of_n"
    WEIGHTED_VOTE = "weighted_vote"
    MAJORITY_VOTE = "majority_vote"
    PASS = "pass"

    @property
    def needs_rewards(self) -> bool:
        return self in (Selection.BEST_OF_N, Selection.WEIGHTED_VOTE)


class IntervalNote(StrEnum):
    """Why an interval is missing, or rests on something else than the spread over its questions."""

    ONE_QUESTION = "one_question"
    SINGLE_QUESTIONS = "single_questions"
    NO_SPREAD = "no_spread"
    NOTHING_TO_SELECT = "nothing_to_select"
    PUBLISHED = "published"

    @property
    def meaning(self) -> str:
        """The note as a clause, for people."""
        return {
            IntervalNote.ONE_QUESTION: "one question shows no spread: its interval allows for the largest possible",
            IntervalNote.SINGLE_QUESTIONS: "some categories have one question each, which shows no spread:"
            " the interval allows for the largest possible there",
            IntervalNote.NO_SPREAD: "where all questions came out alike, the interval allows"
            " for one that would not have",
            IntervalNote.NOTHING_TO_SELECT: "N = 1 leaves nothing to select, so all methods are the same",
            IntervalNote.PUBLISHED: "the published estimator has a deviation over runs, and no interval",
        }[self]


class Family(StrEnum):
    """Which tests a comparison's p-value is corrected together with."""

    PRIMARY = "primary"
    """Overall at the largest N: the one family that a study is judged by."""
    EXPLORATORY = "exploratory"
    """Any other category, N and selection, one of many families: a p-value there is a hint, not a finding."""


class AnswerFormat(StrEnum):
    """How a reference answer is written, and so how a parsed answer is compared with it."""

    CHOICE = "choice"
    NUMBER = "number"
    EXPRESSION = "expression"
    TEXT = "text"


class AnswerRule(StrEnum):
    """When two answers are the same."""

    MEANING = "meaning"
    """If they mean the same: `(c)` and `C`, `1/2` and `0.5`."""
    STRICT = "strict"
    """If they are the same text, but for blanks around it."""


class CritiqueStage(StrEnum):
    """The three tables that critiques pass through."""

    GENERATED = "generated"
    FILTERED = "filtered"
    SHORTENED = "shortened"


class DropReason(StrEnum):
    """Why filtering left a critique out of training, in the order in which the reasons are tried."""

    NO_END_OF_THINKING = "no_end_of_thinking"
    CHINESE_CHARACTERS = "chinese_characters"
    NO_STEPS = "no_steps"
    UNPARSABLE = "unparsable"
    UNLABELLED = "unlabelled"
    LABEL_DISAGREES = "label_disagrees"
    TOO_LONG = "too_long"
    DUPLICATE = "duplicate"
    UNBALANCED = "unbalanced"


class Agreement(StrEnum):
    """What of a gPRM critique must be as labelled for it to be learned from; gORM has but a verdict."""

    STRICT = "strict"
    """Its verdict on each step up to the first incorrect one."""
    RELAXED = "relaxed"
    """Only whether it finds an incorrect step: it must where the solution's answer is wrong, and else not."""


class Deviation(StrEnum):
    """What of a critique that can be read is not as the prompt asks for it."""

    VERDICT_SPELLING = "verdict_spelling"
    """Bold type, other capitals, a box, or a line end in the verdict line."""
    VERDICT_TWICE = "verdict_twice"
    """Another verdict before the one that counts, perhaps while thinking."""
    TEXT_AFTER = "text_after"
    """Something follows the verdict."""
    VERDICT_IMPLIED = "verdict_implied"
    """There is none but the one that follows from the verdicts on the steps."""
    STEP_SPELLING = "step_spelling"
    """Bold type, other capitals, other words, or a line of its own for a step's verdict."""
    UNNUMBERED = "unnumbered"
    """Steps are judged in order, but not all by number."""
    FROM_ZERO = "from_zero"
    """Steps are numbered from 0."""
    STEPS_TWICE = "steps_twice"
    """A step is judged more than once, perhaps once while thinking."""


class NoReward(StrEnum):
    """Why a sampled critique has no reward."""

    CONTEXT = "context"
    """The prompt leaves no room in the model's context."""
    LENGTH = "length"
    """It was cut off before it came to a verdict."""
    FORMAT = "format"
    """It ended without a verdict, or with one in other tokens than ` Yes` and ` No`."""


class Split(StrEnum):
    """What a set of questions is for. No question is in two of them."""

    PRETRAIN = "pretrain"
    TRAIN = "train"
    TEST = "test"


class Policy(StrEnum):
    """The simulated policies of the miniature; the tutor states single facts, for a backbone to learn."""

    JUNIOR = "junior"
    SENIOR = "senior"
    TUTOR = "tutor"


class Reader(StrEnum):
    """The formats that solutions and questions are read from."""

    MMLU_PRO = "mmlu_pro"
    GSM8K = "gsm8k"
    PRM800K = "prm800k"
    PRMBENCH = "prmbench"
    PUBLISHED = "published"


class Dtype(StrEnum):
    """The precision in which a model is computed: `auto` is bf16 on a GPU and fp32 on a CPU."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class EngineName(StrEnum):
    """What turns prompts into completions."""

    TRANSFORMERS = "transformers"
    VLLM = "vllm"
    OPENAI = "openai"
