"""Formats of reward models: the layout of their text, and how rewards are read off the network.

A format of other people's models is a file of a few lines, `format_files/NAME.toml`, whose keys are the fields of
`Format`; that of models which write their verdicts is a prompt template, `format_files/NAME.txt`. Files,
because a job depends on its own format alone: a new one makes no finished rewards stale.
"""

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from multirm.errors import InputError, shown
from multirm.tables.reward_models import FormatName
from multirm.tables.rewards import Scale, Unit

STEP_PLACEHOLDERS = ("{question}", "{previous}", "{step}")
"""In the prompt template of a model that judges one step at a time."""


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Layout(_Declared):
    """How a question and its steps become the text that a model reads.

    Placeholders are `{question}`, `{step}` and `{number}`, the step's, from 1 on. Question and steps are stripped.

    Attributes:
        kind: plain text, a chat whose reply is the solution, or a chat with a user turn for each step.
        system: the system turn of a chat; without one, the model's chat template may have its own.
        question: the text before the steps; in a chat, the first user turn, which in `turns` has the first step, too.
        step: the pieces of a step.
        between: what separates steps.
        reply: the assistant's reply to a step in `turns`.
        read: the piece of a step at whose last token its reward is read. `after` is the last token of what follows a
            step: what separates it from the next one, or what ends the reply. `end` is the last token of the whole
            text: of the solution, or of its first steps up to the one that the reward is for. In `turns`, rewards are
            read at the token before each reply.
        tokenized: whether the text is tokenized as one, or each piece on its own.
        opening: the tokens before the text: those that the tokenizer adds, its beginning-of-sequence token even if
            it does not add it, or none. A chat template writes its own.
        remove: what is deleted from question and steps, as the code that the authors' rewards are from does.
    """

    kind: Literal["text", "chat", "turns"]
    system: str | None = None
    question: str = "{question}"
    step: tuple[str, ...] = ("{step}",)
    between: str = ""
    reply: str = ""
    read: int | Literal["after", "end"] = 0
    tokenized: Literal["together", "apart"] = "together"
    opening: Literal["special", "bos", "none"] = "special"
    remove: tuple[str, ...] = ()

    @property
    def tag(self) -> str | None:
        """The text at whose end rewards are read, if it is the same for all steps: a single token."""
        piece = self.step[self.read] if isinstance(self.read, int) else "{"
        return None if self.kind == "turns" or "{" in piece else piece


class TokenHead(_Declared):
    """The softmax over two tokens of the output layer.

    Attributes:
        tokens: their texts, for incorrect and for correct.
    """

    tokens: tuple[str, str]


class LayerHead(_Declared):
    """Linear layers with weights of their own, with a ReLU between them.

    Attributes:
        layers: the names of the layers in the file of weights, the first one first.
        activation: of the last layer's outputs.
        plus: the outputs whose sum is the reward.
        minus: the outputs that are subtracted from it.
    """

    layers: tuple[str, ...] = Field(min_length=1)
    activation: Literal["softmax", "sigmoid", "none"]
    plus: tuple[int, ...] = (0,)
    minus: tuple[int, ...] = ()


class RatioHead(_Declared):
    """The log-ratio of the tokens' probabilities under the model and under a reference model, summed over a step.

    Attributes:
        beta: its factor.
        reference: the hub name of the reference model.
    """

    beta: float
    reference: str


SCORE = ("score",)
TWO_SCORES = ("score.0", "score.2")


class Format(_Declared):
    """How a discriminative reward model reads solutions and gives rewards.

    Attributes:
        name: as in the reward_models table.
        models: hub names of models of this format.
        unit: what a reward refers to.
        scale: a probability or an unbounded score.
        layout: how question and steps become one text.
        head: how a reward is computed from the network's last hidden states.
    """

    name: FormatName
    models: tuple[str, ...] = ()
    unit: Unit
    scale: Scale
    layout: Layout
    head: TokenHead | LayerHead | RatioHead

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.unit is Unit.SOLUTION and self.layout.read != "end":
            raise ValueError("a reward of the solution is read at the end")
        if self.layout.read == "end" and not isinstance(self.head, LayerHead):
            raise ValueError("only layers of a head are read at the end")
        if isinstance(self.layout.read, int) and self.layout.read >= len(self.layout.step):
            raise ValueError("`read` is beyond the pieces of a step")
        return self

    @property
    def is_of_vllm(self) -> bool:
        """Whether vLLM serves it: a layer named `score`, two tokens, or the two layers of Qwen2.5-Math-PRM."""
        if self.reads_prefixes:
            return False
        if isinstance(self.head, LayerHead):
            return self.head.layers in (SCORE, TWO_SCORES)
        return isinstance(self.head, TokenHead)

    @property
    def reads_prefixes(self) -> bool:
        """Whether each step's reward is read at the end of a text of its own."""
        return self.layout.read == "end" and self.unit is Unit.STEP

    def with_first_turn(self, path: Path) -> "Format":
        """This format with the words in a file for the first user turn.

        Raises:
            InputError: the format has no such turn, or the file lacks a placeholder.
        """
        needed = ["{question}", "{step}"] if self.layout.kind == "turns" else ["{question}"]
        if self.layout.kind == "text":
            raise InputError(
                self.name, expected="a format with a chat, for a template", found="plain text"
            )
        words = read_words(path, needed)
        return self.model_copy(
            update={"layout": self.layout.model_copy(update={"question": words})}
        )


def read_words(path: Path, placeholders: Sequence[str]) -> str:
    """The words in a file, which must have some placeholders.

    Raises:
        InputError: it cannot be read, or lacks one.
    """
    try:
        words = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(path, expected="a prompt template in UTF-8", found=str(error)) from error
    if missing := [each for each in placeholders if each not in words]:
        raise InputError(
            path, expected="the placeholder " + " and ".join(placeholders), found=f"no {missing[0]}"
        )
    return words


def format_file(name: FormatName) -> Path:
    """The file of a format: its fields or, if the model writes its verdicts, its prompt template."""
    suffix = "txt" if writes_verdicts(name) else "toml"
    folder = Path(str(resources.files("multirm"))) / "reward_models" / "format_files"
    return folder / f"{name}.{suffix}"


def writes_verdicts(name: FormatName) -> bool:
    """Whether the models of a format other than ours are generative."""
    return name in (FormatName.THINK_PRM, FormatName.R_PRM)


def read_format(name: FormatName) -> Format:
    """A discriminative format of other people's models.

    Raises:
        InputError: the package has none of this name.
    """
    path = format_file(name)
    try:
        return Format(name=name, **tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValidationError, tomllib.TOMLDecodeError, TypeError) as error:
        raise InputError(
            str(name),
            expected="a format of discriminative reward models",
            found=shown(str(error), 200),
            remedy="docs/formats.md lists them",
        ) from error


def asked_format(name: FormatName, reference: str | None, template: Path | None) -> Format | None:
    """The format that is asked for; None for that of the models trained here.

    Raises:
        InputError: there is none, or it does not need what is given.
    """
    if name is FormatName.MULTI_RM:
        if reference or template:
            raise InputError(
                "--format",
                expected="a format with a reference model or a chat",
                found=name,
                remedy="leave out --reference and --template, or name the format",
            )
        return None
    asked = read_format(name)
    if reference and not isinstance(asked.head, RatioHead):
        raise InputError("--reference", expected=f"none with the format {name}", found=reference)
    return asked.with_first_turn(template) if template else asked
