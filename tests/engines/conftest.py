"""A model that every engine can run, and servers to ask."""

import dataclasses
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from multirm.engines.base import (
    Completed,
    Completion,
    Engine,
    Key,
    Prompt,
    Request,
    Sampling,
    TokenCounts,
)
from multirm.engines.load import load_engine
from multirm.engines.name import EngineName
from multirm.models.load import load_model, load_tokenizer

CONTEXT = 256
# The single letters among the tokens of the tiny model's tokenizer.
PRINTABLE = slice(4, 98)
# Those of several.
WORDS = slice(267, 297)

KEY = "sesame"

Completions = dict[Key, list[Completion]]
Answer = Callable[[str, dict[str, Any]], tuple[int, bytes]]


@pytest.fixture(scope="session")
def sure_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random decoder that is sure of itself, so that texts differ, with ends enough for some to end early.

    It says what one can print. Its heads are as wide as vLLM's attention on CPUs asks for.
    """
    folder = tmp_path_factory.mktemp("sure_model")
    tokenizer = load_tokenizer(str(tiny_model))
    set_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=CONTEXT,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    with torch.no_grad():
        for said in (PRINTABLE, WORDS):
            model.lm_head.weight[said].mul_(30)
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, *range(60, 66)]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sure_adapter(sure_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter for it, random and large enough to change what it says."""
    folder = tmp_path_factory.mktemp("sure_adapter")
    set_seed(1)
    settings = LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules="all-linear",
        init_lora_weights=False,
        task_type="CAUSAL_LM",
    )
    get_peft_model(load_model(str(sure_model)), settings).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def prompts() -> list[Prompt]:
    """Of many lengths, some of them over a block of vLLM's cache, and some with a beginning in common."""
    generator = np.random.default_rng(0)
    texts = [
        generator.integers(PRINTABLE.start, PRINTABLE.stop, size).tolist()
        for size in generator.integers(3, 60, 12)
    ]
    shared = generator.integers(PRINTABLE.start, PRINTABLE.stop, 140).tolist()
    texts += [[*shared, token] for token in range(40, 44)]
    return [Prompt(("data", k), ids) for k, ids in enumerate(texts)]


@pytest.fixture(scope="session")
def watch(sure_model: Path, prompts: list[Prompt]) -> tuple[int, int]:
    """The token that is drawn most often, and one that is as good as never drawn."""
    engine = load_engine(EngineName.TRANSFORMERS, str(sure_model))
    completions = by_key(engine, prompts, Sampling(4, 60, temperature=1.0))
    drawn = np.bincount(
        [token for sampled in completions.values() for one in sampled for token in one.ids],
        minlength=PRINTABLE.stop,
    )[PRINTABLE]
    return int(drawn.argmax()) + PRINTABLE.start, int(drawn.argmin()) + PRINTABLE.start


@dataclasses.dataclass(frozen=True)
class Running:
    address: str
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="session")
def server_that_runs(
    vllm_python: Path, sure_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Running]]:
    """Gives a server of vLLM that is up: the same one, unless that was killed."""
    servers: list[Running] = []

    def serve() -> Running:
        if not servers or servers[-1].process.poll() is not None:
            log = tmp_path_factory.mktemp("server") / "log"
            servers.append(start_server(vllm_python, sure_model, log))
        return servers[-1]

    yield serve
    for server in servers:
        if server.process.poll() is None:
            os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()


@pytest.fixture
def running(server_that_runs: Callable[[], Running]) -> Running:
    return server_that_runs()


def start_server(python: Path, model: Path, log: Path, *options: str) -> Running:
    """It reads prompts whole: pieces and seeds do not go together on a CPU."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [
        *(python, "-m", "vllm.entrypoints.openai.api_server", "--model", model),
        *("--served-model-name", "sure", "--dtype", "float32", "--enforce-eager"),
        *("--no-enable-chunked-prefill", "--kv-cache-memory-bytes", "500M", "--api-key", KEY),
        *("--enable-prompt-tokens-details", "--host", "127.0.0.1", "--port", str(port)),
        *options,
    ]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    deadline = time.monotonic() + 300
    while not _is_up(f"http://127.0.0.1:{port}/health"):
        assert process.poll() is None, log.read_text()[-4000:]
        assert time.monotonic() < deadline, log.read_text()[-4000:]
        time.sleep(0.5)
    return Running(f"http://127.0.0.1:{port}/v1", process)


def _is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(address):
            return True
    except OSError:
        return False


@pytest.fixture
def answering() -> Iterator[Callable[[Answer], str]]:
    """Starts servers that answer by a function, of a path and what was posted, and gives their addresses."""
    servers = []

    def serve(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length) or b"{}")
                body["headers"] = dict(self.headers)
                status, content = answer(self.path, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                # Who has hung up gets no answer.
                with suppress(BrokenPipeError):
                    self.wfile.write(content)

            do_GET = do_POST  # noqa: N815

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def completed_by_key(engine: Engine, request: Request) -> dict[Key, Completed]:
    """What comes of each prompt that is left, each of which comes once."""
    completed = [each for portion in engine.generate(request) for each in portion]
    found = {each.prompt.key: each for each in completed}
    assert len(found) == len(completed)
    return found


def by_key(
    engine: Engine,
    prompts: list[Prompt],
    sampling: Sampling,
    watch: tuple[int, ...] = (),
    seed: int = 0,
) -> Completions:
    """The completions of all prompts."""
    found = completed_by_key(engine, Request(prompts, sampling, seed, watch))
    return {key: completed.completions for key, completed in found.items()}


def generate_in_vllm(
    python: Path, model: Path, folder: Path, requests: list[Request]
) -> list[dict[Key, Completed]]:
    """Send requests through vLLM's engine in its own environment, all in one process."""
    said = json.dumps([dataclasses.asdict(request) for request in requests])
    (folder / "requests.json").write_text(said)
    script = Path(__file__).with_name("generate.py")
    run = subprocess.run(
        [python, script, "vllm", model, folder / "requests.json", folder / "replies.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    replies = json.loads((folder / "replies.json").read_text())
    assert replies["reproducible"]
    return [
        {tuple(each["prompt"]["key"]): _as_completed(each) for each in completed}
        for completed in replies["answers"]
    ]


def _as_completed(said: dict[str, Any]) -> Completed:
    completions = [
        Completion(
            **{**one, "watched": {int(k): tuple(seen) for k, seen in one["watched"].items()}}
        )
        for one in said["completions"]
    ]
    prompt = Prompt(tuple(said["prompt"]["key"]), said["prompt"]["ids"])
    return Completed(prompt, completions, TokenCounts(**said["tokens"]))


def assert_same(found: Completions, expected: Completions, tolerance: float = 1e-3) -> None:
    """The same texts, and the same watched log-probabilities within `tolerance`."""
    assert found.keys() == expected.keys()
    for key, completions in expected.items():
        for one, other in zip(found[key], completions, strict=True):
            assert dataclasses.replace(one, watched={}) == dataclasses.replace(other, watched={})
            assert one.watched.keys() == other.watched.keys()
            for place, seen in other.watched.items():
                np.testing.assert_allclose(one.watched[place], seen, atol=tolerance)
