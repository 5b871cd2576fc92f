"""Run by the tests with the interpreter of vLLM's environment: requests in a JSON file, completions in another.

python generate.py ENGINE MODEL REQUESTS REPLIES
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from multirm.engines.base import Prompt, Request, Sampling
from multirm.engines.load import load_engine
from multirm.engines.name import EngineName


def main(name: str, model: str, requests: Path, replies: Path) -> None:
    engine = load_engine(EngineName(name), model)
    answers = [
        [asdict(completed) for portion in engine.generate(read(said)) for completed in portion]
        for said in json.loads(requests.read_text())
    ]
    replies.write_text(json.dumps({"reproducible": engine.reproducible, "answers": answers}))


def read(said: dict[str, Any]) -> Request:
    return Request(
        [Prompt(tuple(prompt["key"]), prompt["ids"]) for prompt in said["prompts"]],
        Sampling(**said["sampling"]),
        said["seed"],
        tuple(said["watch"]),
        tuple(said["stop"]),
        {tuple(key) for key in said["done"]},
    )


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(Path, sys.argv[3:]))
