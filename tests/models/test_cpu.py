"""A CPU's settings: the faster library for wide models, fp32 as exact as before, and a warning of slow bf16."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from multirm.models import cpu
from multirm.models.cpu import is_exact, prepare_cpu, products_of_any_shape


def decoder(hidden: int, dtype: torch.dtype = torch.float32) -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            hidden_size=hidden,
            intermediate_size=hidden,
            num_hidden_layers=1,
            num_attention_heads=4,
            num_key_value_heads=4,
            vocab_size=16,
        )
    ).to(dtype)


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("hidden", [64, 512])
def test_products_stay_exact(hidden: int) -> None:
    """On every processor, also on those whose fast products are rounded to bf16 (a relative error of 3e-3)."""
    prepare_cpu(decoder(hidden))
    a, b = (torch.randn(300, hidden, generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    exact = a.double() @ b.double().T
    assert ((a @ b.T - exact).norm() / exact.norm()).item() < 1e-6


def test_a_narrow_model_keeps_the_default() -> None:
    torch.set_float32_matmul_precision("medium")
    prepare_cpu(decoder(64))
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize(("are_exact", "expected"), [(True, "medium"), (False, "highest")])
def test_a_wide_model_has_the_faster_library_where_it_is_exact(
    monkeypatch: pytest.MonkeyPatch, are_exact: bool, expected: str
) -> None:
    monkeypatch.setattr(cpu, "_are_exact", lambda: are_exact)
    prepare_cpu(decoder(512))
    assert torch.get_float32_matmul_precision() == expected
    assert is_exact(decoder(512)) == are_exact
    assert not is_exact(decoder(512, torch.bfloat16))


def test_a_model_on_its_way_to_a_gpu_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The setting would round the GPU's products of fp32, such as rewards, to ten bits."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(cpu, "_are_exact", lambda: True)
    monkeypatch.setattr(cpu, "_has_bf16", lambda: False)
    torch.set_float32_matmul_precision("highest")
    for dtype in (torch.float32, torch.bfloat16):
        prepare_cpu(decoder(512, dtype))
        assert torch.get_float32_matmul_precision() == "highest"
    assert not caplog.records


@pytest.mark.parametrize(("device", "meanwhile"), [("cpu", "highest"), ("cuda", "medium")])
def test_products_of_any_shape_have_the_default_library_meanwhile(
    device: str, meanwhile: str
) -> None:
    torch.set_float32_matmul_precision("medium")
    with pytest.raises(ValueError, match="stop"), products_of_any_shape(torch.device(device)):
        assert torch.get_float32_matmul_precision() == meanwhile
        raise ValueError("stop")
    assert torch.get_float32_matmul_precision() == "medium"


def test_rounding_to_bf16_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cpu._are_exact()
    product = torch.Tensor.__matmul__

    def rounded(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        if a.dtype is not torch.float32:
            return product(a, b)
        return product(a.bfloat16().float(), b.bfloat16().float())

    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    assert not cpu._are_exact()


@pytest.mark.parametrize(
    ("flags", "is_told"),
    [
        ("flags\t\t: fpu avx2 avx512f", True),
        ("flags\t\t: fpu avx512f avx512_bf16", False),
        ("flags\t\t: fpu amx_bf16 amx_tile", False),
        ("Features\t: fp asimd", True),
        ("Features\t: fp asimd bf16", False),
        ("", False),
    ],
)
def test_bf16_without_instructions_for_it_is_told(
    flags: str,
    is_told: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{flags}\n")
    monkeypatch.setattr(cpu, "_PROCESSOR", tmp_path / "cpuinfo")
    with caplog.at_level(logging.WARNING):
        prepare_cpu(decoder(64, torch.bfloat16))
        assert bool(caplog.records) == is_told
        caplog.clear()
        prepare_cpu(decoder(64))
        assert not caplog.records
