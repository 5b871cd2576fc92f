"""The engine of batch services: it writes job files, and continues when the result files are there.

A job with this engine runs several times. Each time, it reads the results that have come, writes new job files for
what was not asked yet or failed, and ends unless everything is there. Uploading and downloading is the user's part,
so no key is needed here.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from transformers import CONFIG_NAME

from multirm.engines.base import Completed, Completion, Prompt, Request, TokenCounts
from multirm.engines.batch_bedrock import BedrockForm
from multirm.engines.batch_files import BatchFolder, JobRecord, Results, record_id
from multirm.engines.batch_forms import Failure, Form, Reply
from multirm.engines.batch_openai import OpenaiForm
from multirm.engines.limits import configuration, context_length, settings_folder, token_limit
from multirm.engines.name import EngineName
from multirm.errors import WaitingError, escaped
from multirm.models.load import load_tokenizer
from multirm.running.randomness import item_seed

logger = logging.getLogger(__name__)

_PROMPTS_AT_ONCE = 256
_N_SHOWN = 3

_GIVEN_UP = Reply("", truncated=True, n_tokens=0, given_up=True)


@dataclass(frozen=True)
class _Sample:
    """A sample of a prompt that is wanted, and the records that have been written about it."""

    prompt: Prompt
    attempts: Sequence[str]
    next: JobRecord


class BatchEngine:
    """Implements `engines.base.Engine` over the files of a batch service.

    Args:
        name: `openai_batch` or `bedrock_batch`.
        model: folder or hub name with the model's tokenizer.
        folder: where the files lie; see `batch_files`.
        service_model: the service's name of the model.

    Raises:
        InputError: there is no such tokenizer.
    """

    reproducible = False

    def __init__(self, name: EngineName, model: str, folder: Path, service_model: str) -> None:
        self._tokenizer = load_tokenizer(model)
        settings = settings_folder(model)
        has_context = (settings / CONFIG_NAME).is_file()
        self._context = context_length(configuration(settings)) if has_context else None
        self._form: Form = (
            OpenaiForm(service_model)
            if name is EngineName.OPENAI_BATCH
            else BedrockForm(self._tokenizer)
        )
        self._model, self._folder = service_model, BatchFolder(folder)

    def generate(self, request: Request) -> Iterator[list[Completed]]:
        """See `engines.base.Engine`. Yields the prompts of which all samples are there.

        Raises:
            WaitingError: some are not; their records are in job files.
            InputError: the service cannot answer the request, or a result file is damaged, or holds a record that
                was not asked or occurs twice.
        """
        self._form.check(request)
        sampling = request.sampling
        prompts: list[Prompt] = []
        full: list[Prompt] = []
        for prompt in request.left:
            has_room = token_limit(prompt, sampling, self._context)
            (prompts if has_room else full).append(prompt)
        yield [Completed.without_room(prompt, sampling) for prompt in full]
        asked = self._folder.asked()
        samples = [list(self._samples(prompt, request, asked)) for prompt in prompts]
        wanted = {record for some in samples for sample in some for record in sample.attempts}
        results = self._folder.read(self._form, asked, wanted)
        self._folder.set_aside(results.jobs)
        given_up = self._folder.given_up()
        left: list[_Sample] = []
        ready: list[Completed] = []
        for some in samples:
            replies = [_reply(sample, results, given_up) for sample in some]
            left += [each for each, reply in zip(some, replies, strict=True) if reply is None]
            known = [reply for reply in replies if reply is not None]
            if len(known) == len(some):
                ready.append(self._completed(some[0].prompt, known, sampling.n // len(some)))
            if len(ready) == _PROMPTS_AT_ONCE:
                yield ready
                ready = []
        yield ready
        if left:
            raise self._waiting(self._write(left, results, asked))

    def _samples(
        self, prompt: Prompt, request: Request, asked: Mapping[str, str]
    ) -> Iterator[_Sample]:
        sampling = request.sampling
        # Greedy samples are identical.
        n = 1 if sampling.temperature == 0 else sampling.n
        limit = token_limit(prompt, sampling, self._context)
        body = self._form.body(prompt, sampling, limit)
        for number in range(sampling.first, sampling.first + n):
            seed = item_seed(request.seed, *prompt.key, number) % 2**31
            attempts: list[str] = []
            while True:
                attempt = len(attempts)
                record = record_id(self._model, body, seed, prompt.key, number, attempt)
                if record not in asked:
                    break
                attempts.append(record)
            following = JobRecord(record, prompt.key, number, attempt, body, seed)
            yield _Sample(prompt, attempts, following)

    def _completed(self, prompt: Prompt, replies: Sequence[Reply], times: int) -> Completed:
        """A prompt whose replies are all there. Each is repeated `times`."""
        # Services return no token ids.
        completions = [
            Completion(
                self._tokenizer.encode(reply.text, add_special_tokens=False),
                reply.text,
                {},
                reply.truncated,
                given_up=reply.given_up,
            )
            for reply in replies
        ]
        told = [reply.n_tokens for reply in replies if reply.n_tokens is not None]
        generated = sum(told) if len(told) == len(replies) else None
        return Completed(prompt, completions * times, TokenCounts(None, None, generated))

    def _write(
        self, left: Sequence[_Sample], results: Results, asked: Mapping[str, str]
    ) -> dict[str, int]:
        """Write job files of what was never asked, failed, or is missing in the results of its job.

        Returns:
            the number of records that are not back yet in each job file, by its name.
        """
        reasons: Counter[str] = Counter()
        out: Counter[str] = Counter()
        records = []
        for sample in left:
            job = asked.get(sample.attempts[-1]) if sample.attempts else None
            if job is None:
                records.append(sample.next)
                continue
            outcome = results.outcomes.get(sample.attempts[-1])
            if outcome is None and job not in results.jobs and self._folder.is_out(job):
                out[job] += 1
                continue
            reason = outcome.reason if isinstance(outcome, Failure) else "no result"
            reasons[reason] += 1
            records.append(replace(sample.next, after=reason))
        if reasons:
            told = "; ".join(f"{n} × {escaped(why)}" for why, n in reasons.most_common(_N_SHOWN))
            logger.warning("%d records failed and are asked again: %s", reasons.total(), told)
        if records:
            written = self._folder.write(records, self._form)
            self._warn_of_small(written)
            out.update(written)
        return out

    def _warn_of_small(self, written: Mapping[str, int]) -> None:
        for name, n in written.items():
            if n < self._form.least_records:
                logger.warning(
                    "%s has %d records, and %s usually wants at least %d in a job: start one job from several job "
                    "files in one folder, or let a service without a minimum answer these",
                    self._folder.jobs / f"{name}.jsonl", n, self._form.service, self._form.least_records,
                )  # fmt: skip

    def _waiting(self, out: Mapping[str, int]) -> WaitingError:
        names = [f"{name}.jsonl" for name in sorted(out)]
        more = f" and {len(names) - _N_SHOWN} more" if names[_N_SHOWN:] else ""
        return WaitingError(
            self._folder.results,
            expected=f"the results of {sum(out.values()):,} records of {self._form.service}",
            found=f"none yet of {', '.join(names[:_N_SHOWN])}{more} in {self._folder.jobs}",
            remedy="have the service run these files, put its files here, and run the same command again",
        )


def _reply(sample: _Sample, results: Results, given_up: set[str]) -> Reply | None:
    """What came back about a sample: the reply of the first attempt with one; None if there is none."""
    for record in sample.attempts:
        outcome = results.outcomes.get(record)
        if isinstance(outcome, Reply):
            return outcome
    return _GIVEN_UP if given_up.intersection(sample.attempts) else None
