"""vLLM, for real, on the CPU and in its own environment, against the transformers engine in this one."""

import dataclasses
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import set_seed

from multirm.engines.base import Prompt, Request, Sampling
from multirm.engines.load import load_engine
from multirm.engines.name import EngineName
from multirm.engines.transformers import TransformersEngine
from multirm.errors import InputError
from multirm.models.adapters import base_files
from multirm.models.load import load_model, load_tokenizer
from multirm.running.provenance import write_to_folder
from tests.engines.conftest import (
    assert_same,
    by_key,
    generate_in_vllm,
)
from tests.origins import made_of

GREEDY = Sampling(1, 60, temperature=0)
DRAWN = Sampling(3, 40, temperature=0.9)
SEED = 5


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
    tmp_path: Path,
) -> None:
    adapter = request.getfixturevalue(fixture)
    requests = [Request(prompts, GREEDY, SEED, watch), Request(prompts[:4], DRAWN, SEED, watch)]
    answers = generate_in_vllm(vllm_python, adapter, tmp_path, requests)
    greedy, drawn = (
        {key: completed.completions for key, completed in answer.items()} for answer in answers
    )
    plain = TransformersEngine(load_model(str(adapter)), load_tokenizer(str(sure_model)))
    assert_same(greedy, by_key(plain, prompts, GREEDY, watch, SEED))
    assert_same(drawn, by_key(plain, prompts[:4], DRAWN, watch, SEED))
    base = TransformersEngine(load_model(str(sure_model)), load_tokenizer(str(sure_model)))
    plainly = by_key(base, prompts, GREEDY, watch, SEED)
    assert [one.ids for (one,) in greedy.values()] != [plainly[key][0].ids for key in greedy]


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
        json.dumps(
            [dataclasses.asdict(Request(prompts, Sampling(10_000, 150, temperature=1.0), SEED))]
        )
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
