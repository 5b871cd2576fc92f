"""Run by the tests with the interpreter of vLLM's environment: requests in a JSON file, completions in another.

python generate.py ENGINE MODEL REQUESTS REPLIES
"""

import dataclasses
import json
import sys
from pathlib import Path

from multirm.engines.base import Prompt, Sampling
from multirm.engines.load import load_engine
from multirm.engines.name import EngineName


def main(name: str, model: str, requests: Path, replies: Path) -> None:
    engine = load_engine(EngineName(name), model)
    answers = []
    for request in json.loads(requests.read_text()):
        prompts = [Prompt(tuple(key), ids) for key, ids in request["prompts"]]
        sampling = Sampling(**request["sampling"])
        done = {tuple(key) for key in request["done"]}
        portions = engine.generate(prompts, sampling, request["watch"], request["seed"], done)
        answers.append(
            [
                (prompt.key, [dataclasses.asdict(completion) for completion in completions])
                for portion in portions
                for prompt, completions in portion
            ]
        )
    replies.write_text(json.dumps({"reproducible": engine.reproducible, "answers": answers}))


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(Path, sys.argv[3:]))
