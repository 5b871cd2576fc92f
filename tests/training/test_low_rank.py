"""A layer and its adapter as one function: peft's values and gradients, and dropout at the rate that was asked for."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn

from multirm.training.low_rank import LowRankLinear, shorten

INPUTS, OUTPUTS, RANK = 12, 7, 3


class Layers(nn.Module):
    """Two layers, the second without a bias, so that a gradient passes through one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(INPUTS, OUTPUTS)
        self.second = nn.Linear(OUTPUTS, INPUTS, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.second(torch.tanh(self.first(x)))
        return result


def adapted(dropout: float = 0.0, dtype: torch.dtype = torch.float32) -> PeftModel:
    torch.manual_seed(1)
    config = LoraConfig(
        r=RANK, lora_alpha=8, lora_dropout=dropout, target_modules=["first", "second"]
    )
    model: Any = get_peft_model(Layers().to(dtype), config, autocast_adapter_dtype=True)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weight)
    return model


def results(model: PeftModel, x: Tensor, mixed: bool = False) -> list[Tensor]:
    """The outputs, and the gradients of the input and of the adapter."""
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        y = model(x)
    (y.float() * torch.arange(y.numel()).reshape(y.shape).sin()).sum().backward()
    assert x.grad is not None
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    return [y.detach(), x.grad, *(weight.grad for weight in trained if weight.grad is not None)]


@pytest.mark.parametrize("shape", [(5, INPUTS), (2, 3, INPUTS)])
def test_values_and_gradients_are_those_of_peft(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    expected, found = results(adapted(), x), results(shorten(adapted()), x)
    assert len(found) == 2 + 4
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_mixed_precision_is_that_of_peft(dtype: torch.dtype) -> None:
    x = torch.randn(5, INPUTS, generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = results(adapted(dtype=dtype), x, mixed=True)
    found = results(shorten(adapted(dtype=dtype)), x, mixed=True)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, atol=0.15, rtol=0.05)


def test_gradients_are_those_of_the_function_that_is_computed() -> None:
    """Against differences of values, with the masks of dropout."""
    model = shorten(adapted(dropout=0.4)).double()
    trained = tuple(weight for weight in model.parameters() if weight.requires_grad)

    def value(x: Tensor, *weights: Tensor) -> Tensor:
        torch.manual_seed(3)
        result: Tensor = model(x)
        return result

    x = torch.randn(4, INPUTS, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(value, (x, *trained))


def test_a_second_derivative_is_refused() -> None:
    """The masks of dropout are applied to bits, which would count as constants."""
    x = torch.randn(4, INPUTS, requires_grad=True)
    y = shorten(adapted(dropout=0.4))(x).square().sum()
    (gradient,) = torch.autograd.grad(y, x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize("shape", [(5, INPUTS), (2, 3, INPUTS)])
def test_the_output_may_be_changed_in_place(shape: tuple[int, ...]) -> None:
    """As OLMo clips its queries, keys and values."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    gradients = []
    for model in (adapted(), shorten(adapted())):
        layer = model.base_model.model.first
        layer(x).clamp_(min=-0.5, max=0.5).sum().backward()
        gradients.append(layer.lora_A["default"].weight.grad)
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-5)


def test_dropout_has_its_rate_and_keeps_the_mean() -> None:
    """Of an adapter alone, whose products are the identity: what comes out is what was kept."""
    rate, size = 0.1, 64
    config = LoraConfig(r=size, lora_alpha=size, lora_dropout=rate, target_modules=["0"])
    network = nn.Sequential(nn.Linear(size, size, bias=False))
    nn.init.zeros_(network[0].weight)
    model: Any = shorten(get_peft_model(network, config))
    layer = model.base_model.model[0]
    assert type(layer) is LowRankLinear
    nn.init.eye_(layer.lora_A["default"].weight)
    nn.init.eye_(layer.lora_B["default"].weight)
    torch.manual_seed(0)
    y = model(torch.ones(2000, size))
    dropped = y == 0
    torch.testing.assert_close(y[~dropped], torch.full_like(y[~dropped], 1 / (1 - rate)))
    n = dropped.numel()
    assert abs(dropped.float().mean().item() - rate) < 5 * (rate * (1 - rate) / n) ** 0.5
    # No position is preferred.
    assert dropped.float().mean(0).std() < 1.5 * (rate * (1 - rate) / 2000) ** 0.5
    again = model(torch.ones(2000, size))
    assert not torch.equal(again, y)
    torch.manual_seed(0)
    assert torch.equal(model(torch.ones(2000, size)), y)
    assert torch.equal(model.eval()(torch.ones(2000, size)), torch.ones(2000, size))


def test_less_is_kept_for_the_gradient() -> None:
    kept = []
    for model in (adapted(dropout=0.1), shorten(adapted(dropout=0.1))):
        sizes: dict[int, int] = {}

        def keep(tensor: Tensor, sizes: dict[int, int] = sizes) -> Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            y = model(torch.randn(500, INPUTS))
        kept.append(sum(sizes.values()))
        del y
    assert kept[1] < 0.8 * kept[0]


def test_other_layers_are_left_alone() -> None:
    model = adapted()
    expected = {type(layer) for layer in model.modules()}
    network: Any = get_peft_model(
        nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 3)), LoraConfig(target_modules=["0"])
    )
    before = {type(layer) for layer in network.modules()}
    assert {type(layer) for layer in shorten(network).modules()} == before
    assert {type(layer) for layer in shorten(model).modules()} - expected == {LowRankLinear}


def test_a_merged_adapter_is_in_the_weights() -> None:
    x = torch.randn(5, INPUTS)
    model = shorten(adapted()).eval()
    expected = model(x)
    with model.disable_adapter():
        assert not torch.allclose(model(x), expected)
    model.merge_adapter()
    torch.testing.assert_close(model(x), expected, atol=1e-5, rtol=1e-5)
    model.unmerge_adapter()
    torch.testing.assert_close(model.merge_and_unload()(x), expected, atol=1e-5, rtol=1e-5)
