"""Run by the tests with the interpreter of vLLM's environment: jobs in a JSON file, what came of them in another.

python score_in_vllm.py JOBS FOUND

A job has the arguments of `score_discriminative` and, if it is to die, the number of batches after which it does. What
comes of it: the number of texts that vLLM read, that of tokens that it found in its prefix cache, and the message of an
error, if there was one.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from multirm.engines import vllm_classifier
from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.models.dtype import Dtype
from multirm.scoring.discriminative import score_discriminative
from multirm.tables.reward_models import FormatName

read, rows = vllm_classifier.VllmClassifier.read, vllm_classifier._rows


class KilledError(Exception):
    pass


class Narrow(vllm_classifier.RunningModel):
    """A model that gets three texts at a time, so that batches are small."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.n_open = 3


def main(jobs: Path, found: Path) -> None:
    vllm_classifier.RunningModel = Narrow
    vllm_classifier.SECONDS_BETWEEN_YIELDS = 0
    found.write_text(json.dumps([run(**job) for job in json.loads(jobs.read_text())]))


def run(
    model: str,
    solutions: str,
    output: str,
    format: str = "multi_rm",
    dtype: str = "auto",
    dies_after: int | None = None,
) -> dict[str, Any]:
    n_read = n_cached = 0

    def counted(output: Any, n_rows: int) -> Any:
        nonlocal n_cached
        n_cached += output.num_cached_tokens
        return rows(output, n_rows)

    def watched(self: Any, texts: Any, at_end: bool) -> Iterator[Any]:
        nonlocal n_read
        for number, batch in enumerate(read(self, texts, at_end)):
            if number == dies_after:
                raise KilledError
            n_read += len(batch)
            yield batch

    vllm_classifier.VllmClassifier.read, vllm_classifier._rows = watched, counted
    message = None
    try:
        score_discriminative(
            [f"toy={model}"],
            Path(solutions),
            [Path(output)],
            format=FormatName(format),
            engine=EngineName.VLLM,
            dtype=Dtype(dtype),
        )
    except InputError as error:
        message = str(error)
    except KilledError:
        message = "killed"
    return {"n_read": n_read, "n_cached": n_cached, "message": message}


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
