"""A pack gives the hidden states of each text by itself, whatever else is in it and however it is split."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GptOssConfig,
    GptOssForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
    SmolLM3Config,
    SmolLM3ForCausalLM,
    set_seed,
)

from multirm.errors import InputError
from multirm.models import packing
from multirm.models.packing import (
    Segment,
    attend_in_packs,
    group_in_packs,
    pack,
    pack_tree,
    packed_attention,
    read_pack,
    read_pack_at,
    span_after,
)

SHAPE = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
}


def gemma_positions(full: dict[str, object]) -> dict[str, object]:
    return {
        "full_attention": {"rope_theta": 1e6, **full},
        "sliding_attention": {"rope_theta": 1e4, "rope_type": "default"},
    }


GEMMA = {
    "layer_types": ["sliding_attention", "full_attention"],
    "sliding_window": 5,
    "query_pre_attn_scalar": 4,
    "max_position_embeddings": 16,
}
FAMILIES = {
    "llama": (LlamaForCausalLM, LlamaConfig, {}),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, {}),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config, {}),
    "mistral": (MistralForCausalLM, MistralConfig, {"sliding_window": 5}),
    "qwen3, some layers sliding": (
        Qwen3ForCausalLM,
        Qwen3Config,
        {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1},
    ),
    "smollm3, one layer without positions": (
        SmolLM3ForCausalLM,
        SmolLM3Config,
        {"pad_token_id": 0, "no_rope_layers": [1, 0]},
    ),
    "gemma3, two kinds of positions": (Gemma3ForCausalLM, Gemma3TextConfig, GEMMA),
    "gemma3, one of them scaled": (
        Gemma3ForCausalLM,
        Gemma3TextConfig,
        {**GEMMA, "rope_parameters": gemma_positions({"rope_type": "linear", "factor": 8.0})},
    ),
    "llama, positions of two scales": (
        LlamaForCausalLM,
        LlamaConfig,
        {
            "max_position_embeddings": 16,
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 1e4,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8,
            },
        },
    ),
}

TEXTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=12)


def random_model(family: str) -> PreTrainedModel:
    model, config, settings = FAMILIES[family]
    set_seed(1)
    return model(config(**SHAPE, **settings)).eval()


def random_tree(seed: int, texts: int) -> list[list[int]]:
    """Texts with several kinds of common prefixes."""
    generator = np.random.default_rng(seed)
    result = [generator.integers(0, 50, 6).tolist()]
    while len(result) < texts:
        start = result[generator.integers(len(result))]
        kept = start[: generator.integers(1, len(start) + 1)]
        result.append([*kept, *generator.integers(0, 50, generator.integers(0, 9)).tolist()])
    return result


def check_hidden_states(model: PreTrainedModel, texts: list[list[int]], tree: bool) -> None:
    with torch.no_grad():
        expected = [
            model(torch.tensor([text]), output_hidden_states=True).hidden_states[-1][0]
            for text in texts
        ]
        attend_in_packs(model)
        packed = pack_tree(texts) if tree else pack(texts)
        hidden = read_pack(model, *packed.tensors)
    for text, place in zip(expected, packed.places, strict=True):
        torch.testing.assert_close(hidden[place], text, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("tree", [False, True], ids=["apart", "tree"])
def test_hidden_states_are_those_of_each_text_alone(
    family: str, adapted: bool, tree: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "WORTH_SHARING", 1)
    model = random_model(family)
    if adapted:
        lora = LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
        # Random adapters amplify rounding errors; by how much depends on the processor.
        model = get_peft_model(model, lora).eval().double()
    check_hidden_states(model, random_tree(0, 14), tree)


@pytest.mark.parametrize("family", [*FAMILIES, "mixture"])
def test_hidden_states_at_some_positions(family: str) -> None:
    if family == "mixture":
        set_seed(1)
        experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8}
        model = Qwen3MoeForCausalLM(Qwen3MoeConfig(**SHAPE, **experts)).eval()
    else:
        model = random_model(family)
    attend_in_packs(model)
    packed = pack_tree(random_tree(2, 9))
    places = torch.tensor([3, 0, 7, 7, 12])
    with torch.no_grad():
        everywhere = read_pack(model, *packed.tensors)
        found = read_pack_at(model, *packed.tensors, places)
        torch.testing.assert_close(found, everywhere[places], atol=1e-6, rtol=1e-6)
        # The model has no hooks left.
        torch.testing.assert_close(read_pack(model, *packed.tensors), everywhere)


@pytest.mark.parametrize("family", ["qwen3", "mistral", "gemma3, two kinds of positions"])
@pytest.mark.parametrize("short", [0, 640], ids=["by PyTorch's kernel", "whole"])
@pytest.mark.parametrize("tree", [False, True], ids=["apart", "tree"])
@pytest.mark.parametrize("checkpointed", [False, True])
def test_gradients_are_those_of_each_text_alone(
    family: str, short: int, tree: bool, checkpointed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "WORTH_SHARING", 1)
    monkeypatch.setattr(packing, "_SHORT", short)
    texts = random_tree(3, 6)
    model = random_model(family)
    sum(model.model(torch.tensor([text])).last_hidden_state.sum() for text in texts).backward()
    expected = {name: weights.grad.clone() for name, weights in model.model.named_parameters()}
    model.zero_grad()
    attend_in_packs(model)
    if checkpointed:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    packed = pack_tree(texts) if tree else pack(texts)
    hidden = read_pack(model, *packed.tensors)
    sum(hidden[torch.tensor(place)].sum() for place in packed.places).backward()
    for name, weights in model.model.named_parameters():
        torch.testing.assert_close(weights.grad, expected[name], atol=1e-4, rtol=1e-4)


def test_values_may_be_narrower_than_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in DeepSeek's latent attention."""
    generator = torch.Generator().manual_seed(1)
    shapes = [(4, 8), (2, 8), (2, 6)]
    states = [torch.randn(1, heads, 5, size, generator=generator) for heads, size in shapes]
    span = span_after((), [Segment(0, 5, -1)], 0, torch.float32, torch.device("cpu"))
    found = []
    for short in (0, 640):
        monkeypatch.setattr(packing, "_SHORT", short)
        inputs = [each.clone().requires_grad_() for each in states]
        attended, _ = packed_attention(torch.nn.Module(), *inputs, None, spans=[span])
        attended.square().sum().backward()
        found.append([attended, *(each.grad for each in inputs)])
    for kernel, whole in zip(*found, strict=True):
        torch.testing.assert_close(whole, kernel, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("worth", [1, 4, 10_000])
@given(TEXTS)
def test_every_text_is_a_path_through_the_tree(worth: int, texts: list[list[int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "WORTH_SHARING", worth)
        packed = pack_tree(texts)
    ids, positions = packed.input_ids[0].numpy(), packed.positions[0].numpy()
    for text, place in zip(texts, packed.places, strict=True):
        assert ids[place].tolist() == text
        assert positions[place].tolist() == list(range(len(text)))
    ends = packed.segments[:, 1].tolist()
    assert packed.segments[:, 0].tolist() == [0, *ends[:-1]]
    assert ends[-1] == len(ids)
    assert (packed.segments[:, 2] < torch.arange(len(ends))).all()
    beginnings = {tuple(text[: k + 1]) for text in texts for k in range(len(text))}
    distinct = {tuple(text) for text in texts}
    assert len(beginnings) <= len(ids) <= sum(map(len, distinct))
    if worth == 1:
        assert len(ids) == len(beginnings)


@given(TEXTS, st.integers(1, 40), st.integers(1, 4))
def test_packs_stay_within_the_budget(texts: list[list[int]], budget: int, group: int) -> None:
    groups = [range(k, min(k + group, len(texts))) for k in range(0, len(texts), group)]
    packs = list(group_in_packs(groups, texts, budget))
    assert sorted(index for chosen in packs for index in chosen) == list(range(len(texts)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "WORTH_SHARING", 1)
        sizes = [
            pack_tree([texts[index] for index in chosen]).input_ids.shape[1] for chosen in packs
        ]
    for chosen, size in zip(packs, sizes, strict=True):
        assert size <= budget or len(chosen) == 1
    assert packs == list(group_in_packs(groups, texts, budget))


@pytest.mark.parametrize(
    ("model", "config", "settings", "found"),
    [
        (Gemma2ForCausalLM, Gemma2Config, {}, "Gemma2Attention: expected .* found softcap"),
        (
            GptOssForCausalLM,
            GptOssConfig,
            {"num_local_experts": 2, "num_experts_per_tok": 1},
            "GptOssAttention: expected .* found s_aux",
        ),
        (
            Gemma3ForCausalLM,
            Gemma3TextConfig,
            {**GEMMA, "use_bidirectional_attention": True},
            "Gemma3Attention: expected .* found bidirectional attention",
        ),
        (
            Gemma3ForCausalLM,
            Gemma3TextConfig,
            {
                **GEMMA,
                "rope_parameters": gemma_positions({"rope_type": "dynamic", "factor": 8.0}),
            },
            "a decoder of attention alone.*found dynamic positions",
        ),
    ],
)
def test_attention_of_other_kinds_is_refused(
    model: type[PreTrainedModel],
    config: type[PretrainedConfig],
    settings: dict[str, object],
    found: str,
) -> None:
    set_seed(1)
    other = model(config(**SHAPE, **settings)).eval()
    with pytest.raises(InputError, match=found):
        attend_in_packs(other)
        read_pack(other, *pack([[1, 2]]).tensors)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"layer_types": ["full_attention", "chunked_attention"]}, "chunked_attention"),
        (
            {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}},
            "dynamic positions",
        ),
    ],
)
def test_models_that_mix_tokens_by_more_than_attention_are_refused(
    settings: dict[str, object], found: str
) -> None:
    model = LlamaForCausalLM(LlamaConfig(**SHAPE))
    for name, value in settings.items():
        setattr(model.config, name, value)
    with pytest.raises(InputError, match=f"a decoder of attention alone.*found {found}"):
        attend_in_packs(model)
