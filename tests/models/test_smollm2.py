"""A model with real weights, SmolLM2-135M-Instruct, gives what transformers gives, however it is loaded and read."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from multirm.engines.base import Prompt, Request, Sampling
from multirm.engines.transformers import TransformersEngine
from multirm.models.load import load_model, load_tokenizer, output_logits
from multirm.models.packing import attending_in_packs, pack_tree, read_pack
from multirm.reward_models.base import Solution
from multirm.reward_models.discriminative import multi_rm
from multirm.text.chat import chat_turns
from multirm.text.encoding import encode_conversation, encode_prompt
from multirm.text.prompts import REPLY_START

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
QUESTION = (
    "Janet's ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes muffins"
    " for her friends every day with four. She sells the remainder at the farmers' market daily for"
    " $2 per fresh duck egg. How much in dollars does she make every day at the farmers' market?"
)
SOLUTIONS = [
    Solution(QUESTION, ("She eats 3 + 4 = 7 eggs.", *rest))
    for rest in [
        ("She sells 16 - 7 = 9 eggs.", "She makes 9 * $2 = $18."),
        ("She sells 16 - 7 = 9 eggs.", "She makes 9 + 2 = 11 dollars.\n"),
        ("She sells 16 * 2 = 32 eggs. ", "", "數"),
    ]
] + [Solution("What is 2 + 3?", ("2 + 3 = 5.",))]


@pytest.fixture(scope="module")
def tokenizer(smollm2: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(str(smollm2))


@pytest.fixture(scope="module")
def plain(smollm2: Path) -> PreTrainedModel:
    """As transformers loads it, with attention written out."""
    return AutoModelForCausalLM.from_pretrained(
        smollm2, dtype=torch.float32, attn_implementation="eager"
    )


@pytest.fixture(scope="module")
def model(smollm2: Path) -> PreTrainedModel:
    return load_model(str(smollm2), torch.float32)


def logits_of(plain: PreTrainedModel, ids: list[int]) -> torch.Tensor:
    """The logits of one text, float [tokens, vocabulary]."""
    with torch.no_grad():
        return plain(torch.tensor([ids])).logits[0]


def test_chats(tokenizer: PreTrainedTokenizerBase) -> None:
    user = [1, 4093, 198, 1780, 314, 216, 33, 1232, 216, 33, 47, 2, 198, 1, 520, 9531, 198]
    system = [1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28]
    system += [7018, 411, 407, 19712, 8182, 2, 198]
    assert encode_conversation(tokenizer, ["What is 1 + 1?"]) == system + user
    prompt = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\nWhat is 1 + 1?<|im_end|>\n"
    prompt += f"<|im_start|>assistant\n{REPLY_START}"
    assert tokenizer.decode(encode_prompt(tokenizer, "What is 1 + 1?")) == prompt
    own = chat_turns(tokenizer, "Be brief.").before
    assert own == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"


def test_replies_and_logits_are_those_of_transformers(
    tokenizer: PreTrainedTokenizerBase, plain: PreTrainedModel, model: PreTrainedModel
) -> None:
    turns = ["What is the capital of France?", f"{QUESTION} Answer with a number."]
    prompts = [
        Prompt(("toy", k), encode_conversation(tokenizer, [turn])) for k, turn in enumerate(turns)
    ]
    ends = model.generation_config.eos_token_id
    engine = TransformersEngine(model, tokenizer)
    [portion] = [
        each
        for each in engine.generate(Request(prompts, Sampling(1, 24, temperature=0), seed=0))
        if each
    ]
    texts = {}
    for completed in portion:
        [completion] = completed.completions
        ids = torch.tensor([completed.prompt.ids])
        expected = plain.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24
        )[0, ids.shape[1] :].tolist()
        assert completion.ids == [token for token in expected if token != ends]
        assert completion.truncated == (ends not in expected)
        texts[completed.prompt.key[1]] = completion.text
    assert "Paris" in texts[0]

    texts = [[*prompt.ids, *expected] for prompt in prompts]
    packed = pack_tree(texts)
    with torch.no_grad(), attending_in_packs(model):
        found = output_logits(model, read_pack(model, *packed.tensors))
    for text, place in zip(texts, packed.places, strict=True):
        logits = logits_of(plain, text)
        # Logits reach 40; in fp32, either way of computing them is up to 1e-4 from fp64.
        largest = logits.abs().max().item()
        torch.testing.assert_close(found[place], logits, atol=5e-6 * largest, rtol=0)


def test_shared_and_packed_solutions_score_as_one_text_at_a_time(
    tokenizer: PreTrainedTokenizerBase, plain: PreTrainedModel, smollm2: Path
) -> None:
    network = load_model(str(smollm2), torch.float32)
    computed: list[int] = []
    network.get_input_embeddings().register_forward_hook(
        lambda module, given, output: computed.append(given[0].shape[1])
    )
    scored = multi_rm(network, tokenizer).score(SOLUTIONS)
    # The first three share their question and first step.
    assert sum(computed) < 0.6 * sum(each.n_tokens_read for each in scored)
    for solution, found in zip(SOLUTIONS, scored, strict=True):
        ids, ends = tokenizer.encode(f"{solution.question} \n\n"), []
        for step in solution.steps:
            ids += tokenizer.encode(f"{step} \n\n\n\n", add_special_tokens=False)
            ends.append(len(ids) - 1)
        minus, plus = 29, 27
        expected = logits_of(plain, ids)[ends][:, [minus, plus]].softmax(dim=-1)[:, 1]
        assert len(set(expected.tolist())) == len(ends)
        assert found.rewards == pytest.approx(expected.tolist(), abs=1e-5)
