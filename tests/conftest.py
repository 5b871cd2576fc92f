"""Shared fixtures: the real data, the micro study, and a tiny model with a real tokenizer."""

import fcntl
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

from tests.pretrained import pretrained

ROOT = Path(__file__).resolve().parents[1]
WHOLE_STUDIES = ("cluster", "faults", "workflow")

# One thread for tests and the processes that they start: models are tiny, and on a busy machine threads spend their
# time waiting for each other.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"
# Hundreds of processes import the package: let the first one keep its bytecode.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A shell starts what runs in its background with Ctrl-C ignored, which all processes of tests would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadlines: machines may be slow, and tests check results, not speed. Forty examples of each law, the same in each
# run: a hundred would take minutes more.
settings.register_profile("untimed", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("untimed")

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}<|user|>{{ message['content'] }}"
    "{% else %}<|assistant|>{{ message['content'] }}{{ eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data, which is outside the project; without it, tests are skipped, except under CI."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail("expected the real data at ../shared/data, found no such folder")
        pytest.skip("needs the real data at ../shared/data")
    return folder


def copy_checkout(folder: Path) -> None:
    """Copy what Snakemake needs into `folder`, as in a clone of this checkout, and the micro study."""
    for name in ("src", "workflow", "envs", "config"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("Snakefile", "Makefile", "all"):
        shutil.copy(ROOT / name, folder)
    shutil.copy(ROOT / "tests" / "workflow" / "micro.yaml", folder / "config")
    (folder / "slurm").symlink_to("workflow/profiles/slurm")
    (folder / "profiles").symlink_to("workflow/profiles")
    # A linked environment is one that make installs nothing into.
    for name in (".venv", ".venv-vllm"):
        (folder / name).symlink_to(ROOT / name)


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    """The interpreter of vLLM's environment."""
    python = ROOT / ".venv-vllm" / "bin" / "python"
    if not python.with_name("multirm").is_file():
        pytest.fail("expected an environment with vLLM in .venv-vllm, found none; run `make vllm`")
    return python


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout without any results."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    copy_checkout(folder)
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files whose tests finish whole studies: if they came last, one process would be left with them."""
    items.sort(key=lambda item: item.path.relative_to(ROOT / "tests").parts[0] not in WHOLE_STUDIES)


@pytest.fixture(scope="session")
def common_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what the processes that run the tests make only once; they lock it."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def finished_study(common_folder: Path) -> Path:
    """A copy of this checkout with the finished micro study, to be read or copied, not changed."""
    folder, finished = common_folder / "study", common_folder / "finished"
    with (common_folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            finish_study(folder)
            finished.touch()
    return folder


def finish_study(folder: Path) -> None:
    folder.mkdir()
    copy_checkout(folder)
    run = subprocess.run(
        ["make", "study", "STUDY=micro"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture
def study_copy(finished_study: Path, tmp_path: Path) -> Path:
    """A copy of the finished micro study that a test may change."""
    folder = tmp_path / "study"
    shutil.copytree(finished_study, folder, symlinks=True)
    return folder


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """A folder with SmolLM2-135M-Instruct in fp32, to be read, not changed."""
    return pretrained("SmolLM2-135M-Instruct")


def byte_level_tokenizer(texts: list[str], vocab_size: int = 600) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with the tokens that reward models need."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<|bos|>", "<|eos|>", "<|user|>", "<|assistant|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([*texts, " Yes No" * 50, "+ -" * 50], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|bos|>", eos_token="<|eos|>", pad_token="<|eos|>"
    )
    fast.add_tokens(["<think>", "</think>"])
    fast.chat_template = CHAT_TEMPLATE
    return fast


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random two-layer decoder and its tokenizer."""
    folder = tmp_path_factory.mktemp("tiny_model")
    tokenizer = byte_level_tokenizer(["The answer is (C).", "Step 1: The step is \\boxed{correct}"])
    set_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
