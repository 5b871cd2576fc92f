"""vLLM, for real, on the CPU and in its own environment, against the transformers engine in this one."""

import dataclasses
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import set_seed

from multirm.engines.base import Prompt, Sampling
from multirm.engines.load import load_engine
from multirm.engines.name import EngineName
from multirm.engines.transformers import TransformersEngine
from multirm.errors import InputError
from multirm.models.adapters import base_files
from multirm.models.load import load_model, load_tokenizer
from multirm.running.provenance import write_to_folder
from tests.engines.conftest import (
    CONTEXT,
    Completions,
    assert_same,
    by_key,
    generate_in_vllm,
)
from tests.origins import made_of

GREEDY = Sampling(1, 60, temperature=0)
DRAWN = Sampling(3, 40, temperature=0.9)
NARROWED = Sampling(2, 40, temperature=0.9, top_p=0.9, top_k=20, min_p=0.02, first=1)
SEED = 5


def asking(
    prompts: list[Prompt],
    sampling: Sampling,
    watch: tuple[int, ...],
    done: list[Prompt] = [],  # noqa: B006
) -> dict[str, Any]:
    return {
        "prompts": [(prompt.key, prompt.ids) for prompt in prompts],
        "sampling": dataclasses.asdict(sampling),
        "watch": watch,
        "seed": SEED,
        "done": [prompt.key for prompt in done],
    }


@pytest.fixture(scope="module")
def long_prompts() -> list[Prompt]:
    return [Prompt((n,), [50] * n) for n in (CONTEXT - 4, CONTEXT - 1, CONTEXT, CONTEXT + 9)]


@pytest.fixture(scope="module")
def replies(
    vllm_python: Path,
    sure_model: Path,
    prompts: list[Prompt],
    long_prompts: list[Prompt],
    watch: tuple[int, int],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Completions]:
    """What vLLM made of all requests that the tests are about: it takes long to start."""
    requests = {
        "greedy": asking(prompts, GREEDY, watch),
        "drawn": asking(prompts, DRAWN, watch),
        "narrowed": asking(prompts, NARROWED, ()),
        "part": asking(prompts[::-3], DRAWN, watch),
        "resumed": asking(prompts, DRAWN, watch, done=prompts[:9]),
        "full": asking(long_prompts, Sampling(2, 6, temperature=0), watch),
    }
    answers = generate_in_vllm(
        vllm_python, sure_model, tmp_path_factory.mktemp("vllm"), list(requests.values())
    )
    return dict(zip(requests, answers, strict=True))


@pytest.fixture(scope="module")
def engine(sure_model: Path) -> TransformersEngine:
    return TransformersEngine(load_model(str(sure_model)), load_tokenizer(str(sure_model)))


def test_greedy_texts_and_probabilities_are_those_of_transformers(
    replies: dict[str, Completions],
    engine: TransformersEngine,
    prompts: list[Prompt],
    watch: tuple[int, int],
) -> None:
    expected = by_key(engine, prompts, GREEDY, watch, SEED)
    assert_same(replies["greedy"], expected)
    sampled = [one for completions in expected.values() for one in completions]
    assert 0 < sum(one.truncated for one in sampled) < len(sampled)
    assert any(one.watched for one in sampled)


@pytest.mark.parametrize(("name", "sampling"), [("drawn", DRAWN), ("narrowed", NARROWED)])
def test_samples_are_those_of_transformers(
    replies: dict[str, Completions],
    engine: TransformersEngine,
    prompts: list[Prompt],
    watch: tuple[int, int],
    name: str,
    sampling: Sampling,
) -> None:
    watched = watch if name == "drawn" else ()
    assert_same(replies[name], by_key(engine, prompts, sampling, watched, SEED))


def test_samples_do_not_depend_on_the_other_prompts_or_their_order(
    replies: dict[str, Completions], prompts: list[Prompt]
) -> None:
    whole = replies["drawn"]
    part = {prompt.key: whole[prompt.key] for prompt in prompts[::-3]}
    assert_same(replies["part"], part, tolerance=1e-4)


def test_what_is_done_is_not_done_again(
    replies: dict[str, Completions], prompts: list[Prompt]
) -> None:
    left = {prompt.key: replies["drawn"][prompt.key] for prompt in prompts[9:]}
    assert_same(replies["resumed"], left, tolerance=1e-4)


def test_a_full_context_truncates(
    replies: dict[str, Completions],
    engine: TransformersEngine,
    long_prompts: list[Prompt],
    watch: tuple[int, int],
) -> None:
    expected = by_key(engine, long_prompts, Sampling(2, 6, temperature=0), watch, SEED)
    assert_same(replies["full"], expected)
    assert all(not one.ids and one.truncated for one in replies["full"][(CONTEXT + 9,)])


@pytest.fixture
def scaled_adapter(sure_model: Path, tmp_path: Path) -> Path:
    """An adapter with ranks and scales of their own for some layers, one of them above the others' rank."""
    set_seed(2)
    settings = LoraConfig(
        r=4,
        lora_alpha=8,
        rank_pattern={"v_proj": 24, "layers.1.mlp.up_proj": 2},
        alpha_pattern={"q_proj": 30, "v_proj": 3},
        target_modules="all-linear",
        init_lora_weights=False,
        task_type="CAUSAL_LM",
    )
    get_peft_model(load_model(str(sure_model)), settings).save_pretrained(tmp_path / "scaled")
    return tmp_path / "scaled"


@pytest.mark.parametrize("fixture", ["sure_adapter", "scaled_adapter"])
def test_an_adapter_is_served_unmerged(
    vllm_python: Path,
    sure_model: Path,
    fixture: str,
    request: pytest.FixtureRequest,
    prompts: list[Prompt],
    watch: tuple[int, int],
    replies: dict[str, Completions],
    tmp_path: Path,
) -> None:
    adapter = request.getfixturevalue(fixture)
    requests = [asking(prompts, GREEDY, watch), asking(prompts[:4], DRAWN, watch)]
    greedy, drawn = generate_in_vllm(vllm_python, adapter, tmp_path, requests)
    plain = TransformersEngine(load_model(str(adapter)), load_tokenizer(str(sure_model)))
    assert_same(greedy, by_key(plain, prompts, GREEDY, watch, SEED))
    assert_same(drawn, by_key(plain, prompts[:4], DRAWN, watch, SEED))
    assert greedy != replies["greedy"]


def test_models_that_it_cannot_run_are_refused_in_one_line(
    vllm_python: Path, sure_model: Path, sure_adapter: Path, tmp_path: Path
) -> None:
    weightless = shutil.copytree(sure_model, tmp_path / "weightless")
    (weightless / "model.safetensors").unlink()
    settings = LoraConfig(r=1000, target_modules=["q_proj"], task_type="CAUSAL_LM")
    wide = tmp_path / "wide"
    get_peft_model(load_model(str(sure_model)), settings).save_pretrained(wide)
    unknown = shutil.copytree(sure_model, tmp_path / "unknown")
    settings = json.loads((unknown / "config.json").read_text())
    (unknown / "config.json").write_text(json.dumps({**settings, "architectures": ["NoSuchModel"]}))
    cut = shutil.copytree(sure_adapter, tmp_path / "cut")
    weights = cut / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    headed = shutil.copytree(sure_model, tmp_path / "headed")
    tensors = load_file(headed / "model.safetensors") | {"score.weight": torch.zeros(2, 64)}
    save_file(tensors, headed / "model.safetensors", metadata={"format": "pt"})
    trained = tmp_path / "trained"
    whole = LoraConfig(target_modules=["q_proj"], modules_to_save=["lm_head"])
    get_peft_model(load_model(str(sure_model)), whole).save_pretrained(trained)
    stranger = shutil.copytree(sure_adapter, tmp_path / "stranger")
    base = base_files(sure_model) | {"model.safetensors": "0" * 64}
    write_to_folder(stranger, "adapter", made_of(), base)
    script = (
        "import sys\n"
        "from multirm.engines.load import load_engine\n"
        "from multirm.errors import InputError\n"
        "from multirm.engines.name import EngineName\n"
        "for model in sys.argv[1:]:\n"
        "    try:\n"
        "        load_engine(EngineName.VLLM, model)\n"
        "    except InputError as error:\n"
        "        sys.stdout.write(f'refused {error}\\n')\n"
    )
    run = subprocess.run(
        [vllm_python, "-c", script, weightless, wide, unknown, cut, headed, trained, stranger],
        capture_output=True,
        text=True,
        check=True,
    )
    refused = [line for line in run.stdout.splitlines() if line.startswith("refused ")]
    assert len(refused) == 7
    assert "expected weights as *.safetensors, found none" in refused[0]
    assert "expected a rank of at most 512, found 1000; merge" in refused[1]
    assert "expected the architecture LlamaForCausalLM, found 'NoSuchModel'" in refused[2]
    assert "cut/adapter_model.safetensors: expected complete weights" in refused[3]
    assert "only the weights of LlamaForCausalLM, found score.weight" in refused[4]
    assert "trained: expected an adapter of two matrices" in refused[5]
    assert "found modules_to_save, " in refused[5]
    assert "stranger: expected the base that it was trained on" in refused[6]


def test_a_job_takes_no_cores_from_others_and_nothing_of_it_outlives_it_if_it_is_killed(
    vllm_python: Path, sure_model: Path, prompts: list[Prompt], tmp_path: Path
) -> None:
    (tmp_path / "requests").write_text(
        json.dumps([asking(prompts, Sampling(10_000, 150, temperature=1.0), ())])
    )
    script = Path(__file__).with_name("generate.py")
    log = tmp_path / "log"
    with log.open("wb") as file:
        job = psutil.Popen(
            [vllm_python, script, "vllm", sure_model, tmp_path / "requests", tmp_path / "replies"],
            stdout=file,
            stderr=file,
            env={**os.environ, "OMP_NUM_THREADS": "2"},
        )
    deadline = time.monotonic() + 300
    while b"init engine" not in log.read_bytes():
        assert job.is_running() and time.monotonic() < deadline, log.read_text()[-4000:]
        time.sleep(0.2)
    started = job.children(recursive=True)
    assert started
    threads = [thread.id for process in started for thread in process.threads()]
    assert all(os.sched_getaffinity(thread) == os.sched_getaffinity(0) for thread in threads)
    job.kill()
    job.wait()
    _, alive = psutil.wait_procs(started, timeout=120)
    for process in alive:
        process.kill()
    assert not alive


def test_where_it_is_not_installed_it_says_how_to(sure_model: Path) -> None:
    with pytest.raises(InputError, match=r"expected vLLM in the environment.*`make vllm`"):
        load_engine(EngineName.VLLM, str(sure_model))
