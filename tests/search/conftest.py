"""A random policy whose texts have steps, ends and answers."""

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from tests.conftest import byte_level_tokenizer

SAID = ("The answer is 4", "The answer is 5", " so", " it", " is", ".\n\n", ".\n\n\nHm", ".\nHm")


@pytest.fixture(scope="session")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random decoder that says the words above, each a token, and ends now and then."""
    folder = tmp_path_factory.mktemp("talker")
    tokenizer = byte_level_tokenizer(["The answer is (C)."])
    tokenizer.add_tokens(list(SAID))
    set_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
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
    )
    said = [*tokenizer.convert_tokens_to_ids(list(SAID)), tokenizer.eos_token_id]
    with torch.no_grad():
        heads = model.lm_head.weight[said] * 10
        # The others have a logit below those of nearly all of these.
        model.lm_head.weight.copy_(-heads.sum(dim=0))
        model.lm_head.weight[said] = heads
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
