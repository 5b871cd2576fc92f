"""What the commands that ask a chat model have in common: the model with its options, and the job that asks it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Completion, Engine, Prompt
from multirm.errors import WaitingError, waiting_for_all
from multirm.generation.loop import Rows, generate_rows
from multirm.generation.options import GenerationOptions
from multirm.models.load import load_tokenizer, sources_of
from multirm.running.journal import Journal, open_journal
from multirm.running.provenance import Origin, origin_of
from multirm.tables import parquet
from multirm.tables.schema import Schema
from multirm.text.chat import conversation_date


@dataclass(frozen=True)
class ChatModel:
    """A model that a command asks in conversations.

    Attributes:
        name: model folder or hub name.
        options: the engine that runs it, and how it samples.
        tokenizer: its tokenizer, for prompts.
    """

    name: str
    options: GenerationOptions
    tokenizer: PreTrainedTokenizerBase

    @classmethod
    def load(cls, name: str, options: GenerationOptions) -> Self:
        """The model without its weights.

        Raises:
            InputError: there is no such model or no tokenizer.
        """
        return cls(name, options, load_tokenizer(name))

    @contextmanager
    def job(
        self,
        output: Path,
        module: str,
        role: str,
        parameters: Mapping[str, Any],
        inputs: Iterable[Path],
    ) -> Iterator["ChatJob"]:
        """The job that asks this model, with its engine and with the journal beside `output`.

        Args:
            module: the module of the command.
            role: what the model is in the provenance of the tables, such as policy.
            parameters: the command's own settings, for the provenance.
            inputs: files that the prompts are made from; the model is added to them.

        Raises:
            InputError: the engine or the journal cannot be used.
        """
        made_of, folders = sources_of(self.name)
        known = {role: made_of, **parameters, **self.options.parameters}
        known |= conversation_date(self.tokenizer)
        origin = origin_of(module, known, [*inputs, *folders])
        with open_journal(output, origin) as journal:
            yield ChatJob(self.options, self.options.load_engine(self.name), journal, origin)


@dataclass(frozen=True)
class ChatJob:
    """A job while it asks a model."""

    options: GenerationOptions
    engine: Engine
    journal: Journal
    origin: Origin

    def ask(
        self,
        prompts: Sequence[Prompt],
        n: int,
        first: int = 0,
        temperature: float | None = None,
        *,
        done: str,
        items: str,
    ) -> list[Rows]:
        """Samples `first` to `first + n - 1` of each prompt, in the order of the prompts; see `texts_of`.

        They are read by the commands after they are journaled, so how may change without asking again.

        Args:
            temperature: instead of the options' own.
            done, items: for progress reports; see `generate_rows`.
        """
        options = self.options
        if temperature is not None:
            options = replace(options, temperature=temperature)
        request = options.request(prompts, n, first)
        return generate_rows(self.engine, request, self.journal, texts_of, done=done, items=items)

    def ask_all(
        self,
        asked: Sequence[tuple[Sequence[Prompt], int, int]],
        temperature: float | None = None,
        *,
        done: str,
        items: str,
    ) -> list[list[Rows]]:
        """The samples of several calls of `ask`, each with its prompts, `n` and `first`.

        A batch service is asked for all of them before any is waited for.

        Raises:
            WaitingError: the results of some are not there.
        """
        found: list[list[Rows]] = []
        waiting: list[WaitingError] = []
        for prompts, n, first in asked:
            try:
                found.append(self.ask(prompts, n, first, temperature, done=done, items=items))
            except WaitingError as error:
                waiting.append(error)
        if waiting:
            raise waiting_for_all(waiting)
        return found

    def write(
        self,
        tables: Sequence[tuple[Path, Schema, Sequence[Mapping[str, Any]]]],
        **parameters: Any,
    ) -> None:
        """Write tables, all or none, that say in their footers whether the samples are reproducible.

        Args:
            parameters: what else they say, which was not known before.
        """
        origin = self.origin.having(reproducible=self.engine.reproducible, **parameters)
        parquet.write_together(tables, origin)


def texts_of(prompt: Prompt, completions: Sequence[Completion]) -> Rows:
    """A row for each text: `text`, whether it is `truncated` or `given_up`, and its costs.

    These are `n_tokens_read` and `n_tokens_generated`.
    """
    return [
        {
            "text": one.text,
            "truncated": one.truncated,
            "given_up": one.given_up,
            "n_tokens_read": len(prompt.ids),
            "n_tokens_generated": len(one.ids),
        }
        for one in completions
    ]
