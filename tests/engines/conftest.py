"""A model that every engine can run, and servers to ask."""

import json
import subprocess
import threading
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

from multirm.engines.base import Completion, Engine, Key, Prompt, Sampling
from multirm.engines.load import load_engine
from multirm.engines.name import EngineName
from multirm.models.load import load_model, load_tokenizer

ROOT = Path(__file__).resolve().parents[2]
CONTEXT = 256
# The single letters among the tokens of the tiny model's tokenizer.
PRINTABLE = slice(4, 98)

Completions = dict[Key, list[Completion]]
Answer = Callable[[str, dict[str, Any]], tuple[int, bytes]]


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    """The interpreter of vLLM's environment."""
    python = ROOT / ".venv-vllm" / "bin" / "python"
    if not python.with_name("multirm").is_file():
        pytest.fail("expected an environment with vLLM in .venv-vllm, found none; run `make vllm`")
    return python


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
        model.lm_head.weight[PRINTABLE].mul_(30)
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


def by_key(
    engine: Engine,
    prompts: list[Prompt],
    sampling: Sampling,
    watch: tuple[int, ...] = (),
    seed: int = 0,
) -> Completions:
    """The completions of all prompts, each of which comes once."""
    portions = list(engine.generate(prompts, sampling, watch, seed))
    completed = [pair for portion in portions for pair in portion]
    completions = {prompt.key: sampled for prompt, sampled in completed}
    assert len(completions) == len(completed)
    return completions


def generate_in_vllm(
    python: Path, model: Path, folder: Path, requests: list[dict[str, Any]]
) -> list[Completions]:
    """Send requests through vLLM's engine in its own environment, all in one process."""
    (folder / "requests.json").write_text(json.dumps(requests))
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
        {
            tuple(key): [
                Completion(
                    one["ids"],
                    one["text"],
                    {int(place): tuple(seen) for place, seen in one["watched"].items()},
                    one["truncated"],
                )
                for one in sampled
            ]
            for key, sampled in completed
        }
        for completed in replies["answers"]
    ]


def assert_same(found: Completions, expected: Completions, tolerance: float = 1e-3) -> None:
    """The same texts, and the same watched log-probabilities within `tolerance`."""
    assert found.keys() == expected.keys()
    for key, completions in expected.items():
        for one, other in zip(found[key], completions, strict=True):
            assert (one.ids, one.text) == (other.ids, other.text)
            assert one.truncated == other.truncated
            assert one.watched.keys() == other.watched.keys()
            for place, seen in other.watched.items():
                np.testing.assert_allclose(one.watched[place], seen, atol=tolerance)
