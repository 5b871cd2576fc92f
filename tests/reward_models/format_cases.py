"""Each format on a small random model of its architecture with the real vocabulary, and its reference.

A reference follows the description of the format to the letter: it builds the ids as the authors' code does, finds the
places by searching for the tag, and calls transformers' own classes on one solution after the other.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    LlamaForTokenClassification,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2ForTokenClassification,
    set_seed,
)

from multirm.reward_models.base import RewardModel, Solution
from multirm.reward_models.discriminative import of_format
from multirm.reward_models.formats import read_format
from multirm.tables.reward_models import FormatName
from tests import vocabularies

SOLUTIONS = [
    Solution(f"Which treaty was it?{' Think of 1648.' * 20}", (*start, *end))
    for start in [("It was signed in 1648.", "So (C).")]
    for end in [(), ("The answer is (C).",), ("No: 12 + 30 = 42,\nso I was wrong", "It is (A).")]
] + [Solution("What is 2 + 3?", ("2 + 3 = 5.", "The answer is $5$"))]

SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."

Head = nn.Module | None
Reference = Callable[["Case", Path, Solution], list[float]]


@dataclass(frozen=True)
class Case:
    """A format and how it is tested.

    Attributes:
        format: its name.
        tokenizer: builds the tokenizer.
        make: makes a small model in a folder.
        reference: the expected rewards of a solution by the model in a folder.
        label: tells cases of one format apart.
    """

    format: FormatName
    tokenizer: Callable[[], PreTrainedTokenizerFast]
    make: Callable[["Case", Path], None]
    reference: Reference
    label: str = ""

    @property
    def id(self) -> str:
        return f"{self.format}-{self.label}" if self.label else str(self.format)


def config_of(
    tokenizer: PreTrainedTokenizerFast, family: type[PreTrainedConfig]
) -> PreTrainedConfig:
    return family(
        vocab_size=len(tokenizer),
        # Heads as wide as vLLM's attention on CPUs asks for.
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=1024,
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.2,
    )


def causal(model: type[PreTrainedModel], family: type[PreTrainedConfig]) -> Callable[..., None]:
    """A causal language model."""

    def make(case: Case, folder: Path) -> None:
        set_seed(0)
        model(config_of(case.tokenizer(), family)).save_pretrained(folder)

    return make


def adapted(case: Case, folder: Path) -> None:
    """A LoRA adapter beside its base."""
    base = folder.parent / f"{folder.name}-base"
    causal(Qwen2ForCausalLM, Qwen2Config)(case, base)
    network = AutoModelForCausalLM.from_pretrained(base)
    lora = LoraConfig(
        r=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", init_lora_weights=False
    )
    get_peft_model(network, lora).save_pretrained(folder)


def native(
    model: type[PreTrainedModel], family: type[PreTrainedConfig], n_labels: int
) -> Callable[..., None]:
    """A classifier that transformers has a class for."""

    def make(case: Case, folder: Path) -> None:
        set_seed(0)
        config = config_of(case.tokenizer(), family)
        config.num_labels = n_labels
        network = model(config)
        nn.init.normal_(network.score.weight, std=0.2)
        network.save_pretrained(folder)

    return make


def headed(
    model: type[PreTrainedModel],
    family: type[PreTrainedConfig],
    architecture: str,
    head_of: Callable[[], dict[str, nn.Linear]],
    keeps_output: bool = False,
) -> Callable[..., None]:
    """A decoder with a head that only the authors' code has a class for."""

    def make(case: Case, folder: Path) -> None:
        causal(model, family)(case, folder)
        weights = load_file(folder / "model.safetensors")
        if not keeps_output:
            del weights["lm_head.weight"]
        set_seed(1)
        for name, layer in head_of().items():
            nn.init.normal_(layer.weight, std=0.2)
            weights |= {f"{name}.{part}": value for part, value in layer.state_dict().items()}
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        config = json.loads((folder / "config.json").read_text())
        config["architectures"] = [architecture]
        # Code that must not be run: there is no such file.
        config["auto_map"] = {"AutoModel": f"modeling.{architecture}"}
        (folder / "config.json").write_text(json.dumps(config))

    return make


@cache
def plain(folder: Path, kind: type = AutoModelForCausalLM) -> PreTrainedModel:
    """The model in a folder, as transformers loads it."""
    return kind.from_pretrained(folder, dtype=torch.float32)


def hidden_states(folder: Path, ids: Sequence[int]) -> Tensor:
    """The last hidden states of one text, float [tokens, hidden size]."""
    config = json.loads((folder / "config.json").read_text())
    family = {"qwen2": Qwen2ForCausalLM, "mistral": MistralForCausalLM}[config["model_type"]]
    with torch.no_grad():
        return plain(folder, family).model(torch.tensor([list(ids)])).last_hidden_state[0]


def logits_of(folder: Path, ids: Sequence[int]) -> Tensor:
    """The logits of a causal language model, float [tokens, vocabulary]."""
    with torch.no_grad():
        return plain(folder)(torch.tensor([list(ids)])).logits[0]


def weights_of(folder: Path, name: str) -> tuple[Tensor, Tensor]:
    weights = load_file(folder / "model.safetensors")
    bias = weights.get(f"{name}.bias")
    weight = weights[f"{name}.weight"]
    return weight, torch.zeros(len(weight)) if bias is None else bias


def places_of(ids: Sequence[int], tag: int) -> list[int]:
    return [place for place, token in enumerate(ids) if token == tag]


def versa_prm(case: Case, folder: Path, solution: Solution) -> list[float]:
    question = solution.question.strip().replace(" \n\n\n\n", "")
    text = question + " \n\n"
    for step in solution.steps:
        text += step.strip().replace(" \n\n\n\n", "") + " \n\n\n\n"
    ids = case.tokenizer()(text)["input_ids"]
    tag = {128256: 23535, 151665: 22701}[len(case.tokenizer())]
    logits = logits_of(folder, ids)[places_of(ids, tag)]
    return logits[:, [12, 10]].softmax(dim=-1)[:, 1].tolist()


def math_shepherd(case: Case, folder: Path, solution: Solution) -> list[float]:
    text = solution.question.replace("ки", "") + " "
    for number, step in enumerate(solution.steps, start=1):
        text += f"\nStep {number}: {step.replace('ки', '')} ки"
    ids = case.tokenizer()(text)["input_ids"]
    return logits_of(folder, ids)[places_of(ids, 12902)][:, [648, 387]].softmax(-1)[:, 0].tolist()


def math_psa(case: Case, folder: Path, solution: Solution) -> list[float]:
    text = solution.question.replace("\n", "") + " "
    for number, step in enumerate(solution.steps, start=1):
        text += "Step {}: {} \n\n\n\n\n ".format(number, step.replace("\n", ""))
    ids = case.tokenizer()(text)["input_ids"]
    # peft finds the base of an adapter by itself.
    logits = logits_of(folder, ids)
    return logits[places_of(ids, 76325)][:, [488, 481]].softmax(-1)[:, 0].tolist()


def rlhflow(case: Case, folder: Path, solution: Solution) -> list[float]:
    conversation, rewards = [], []
    for number, step in enumerate(solution.steps):
        content = step if number else f"{solution.question} {step}"
        conversation += [
            {"role": "user", "content": content},
            {"role": "assistant", "content": "+"},
        ]
        text = case.tokenizer().apply_chat_template(conversation, tokenize=False)
        ids = case.tokenizer()(text, add_special_tokens=False)["input_ids"]
        assert ids[-3:] == [271, 10, 128009]
        rewards.append(logits_of(folder, ids)[-3, [10, 12]].softmax(-1)[0].item())
    return rewards


def fover(case: Case, folder: Path, solution: Solution) -> list[float]:
    """The first turn is that of the format's file; the rest is as the authors write it."""
    tokenizer = case.tokenizer()
    first = read_format(case.format).layout.question
    correct, incorrect = (
        tokenizer.encode(x, add_special_tokens=False) for x in ("correct", "incorrect")
    )
    assert len(correct) == len(incorrect) == 1
    conversation, rewards = [], []
    for number, step in enumerate(solution.steps):
        if number == 0:
            step = first.replace("{question}", solution.question.strip()).replace("{step}", step)
        conversation.append({"role": "user", "content": step.strip()})
        text = tokenizer.apply_chat_template(
            conversation, tokenize=False, add_generation_prompt=True
        )
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        pair = logits_of(folder, ids)[-1, incorrect + correct]
        rewards.append(pair.softmax(-1)[1].item())
        conversation.append({"role": "assistant", "content": "correct"})
    return rewards


def qwen_prm(case: Case, folder: Path, solution: Solution) -> list[float]:
    messages = [{"role": "system", "content": SYSTEM}] if case.format == "qwen_prm" else []
    messages += [
        {"role": "user", "content": solution.question.strip()},
        {"role": "assistant", "content": "<extra_0>".join(solution.steps) + "<extra_0>"},
    ]
    text = case.tokenizer().apply_chat_template(messages, tokenize=False)
    ids = case.tokenizer()(text)["input_ids"]
    (first, first_bias), (last, last_bias) = (
        weights_of(folder, name) for name in ("score.0", "score.2")
    )
    states = hidden_states(folder, ids) @ first.T + first_bias
    classes = (states.relu() @ last.T + last_bias).softmax(-1)
    return classes[places_of(ids, 151651), 1].tolist()


def token_classes(case: Case, folder: Path, ids: Sequence[int]) -> Tensor:
    classifier = {"llama": LlamaForTokenClassification, "qwen2": Qwen2ForTokenClassification}
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    with torch.no_grad():
        return plain(folder, classifier[kind])(torch.tensor([list(ids)])).logits[0].softmax(-1)


def trl(case: Case, folder: Path, solution: Solution) -> list[float]:
    tokenizer = case.tokenizer()
    separator = tokenizer.encode("\n", add_special_tokens=False)
    ids = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    ids += tokenizer(solution.question.strip(), add_special_tokens=False)["input_ids"]
    places = []
    for step in solution.steps:
        ids += tokenizer(step, add_special_tokens=False)["input_ids"] + separator
        places.append(len(ids) - 1)
    return token_classes(case, folder, ids)[places, 1].tolist()


def pure(case: Case, folder: Path, solution: Solution) -> list[float]:
    tokenizer = case.tokenizer()
    ids = tokenizer(solution.question.strip(), add_special_tokens=False)["input_ids"]
    places = []
    for step in solution.steps:
        ids += tokenizer(step, add_special_tokens=False)["input_ids"]
        ids += tokenizer("\n\n", add_special_tokens=False)["input_ids"]
        places.append(len(ids) - 1)
    classes = token_classes(case, folder, ids)[places]
    return (classes[:, 1] - classes[:, 0]).tolist()


def skywork_o1(case: Case, folder: Path, solution: Solution) -> list[float]:
    tokenizer = case.tokenizer()
    ids = tokenizer.encode((tokenizer.bos_token or "") + solution.question.strip() + "\n")
    line_end = tokenizer.encode("\n")[-1]
    places = []
    for step in solution.steps:
        ids += [*tokenizer.encode(step), line_end]
        places.append(len(ids) - 1)
    weight, bias = weights_of(folder, "v_head.summary")
    values = hidden_states(folder, ids) @ weight.T + bias
    return values[places, 0].sigmoid().tolist()


def reason_eval(case: Case, folder: Path, solution: Solution) -> list[float]:
    tokenizer = case.tokenizer()
    question = solution.question.strip()
    prompt = f"Question:\n{question}\nAnswer:\nLet's think step by step.\n"
    ids, places = tokenizer(prompt)["input_ids"], []
    for step in solution.steps:
        ids += tokenizer(step, add_special_tokens=False)["input_ids"]
        places.append(len(ids) - 1)
    weight, bias = weights_of(folder, "score_head")
    classes = (hidden_states(folder, ids) @ weight.T + bias).softmax(-1)[places]
    return (classes[:, 1] + classes[:, 2]).tolist()


def classifier(case: Case, folder: Path, solution: Solution) -> list[float]:
    tokenizer = case.tokenizer()
    messages = [
        {"role": "user", "content": solution.question.strip()},
        {"role": "assistant", "content": "\n\n".join(solution.steps)},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    text = text.removeprefix(tokenizer.bos_token or "")
    ids = tokenizer(text)["input_ids"]
    network = plain(folder, LlamaForSequenceClassification)
    with torch.no_grad():
        return network(torch.tensor([ids])).logits[0].tolist()


def classifier_steps(case: Case, folder: Path, solution: Solution) -> list[float]:
    counts = range(1, len(solution.steps) + 1)
    prefixes = [replace(solution, steps=solution.steps[:count]) for count in counts]
    return [classifier(case, folder, prefix)[0] for prefix in prefixes]


def pairwise_scores(case: Case, folder: Path, solution: Solution) -> list[float]:
    tokenizer = case.tokenizer()
    ids = tokenizer(solution.question.strip() + " \n\n")["input_ids"]
    network, rewards = plain(folder, LlamaForSequenceClassification), []
    for step in solution.steps:
        ids += tokenizer(step.strip() + " \n\n\n\n", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            rewards.append(network(torch.tensor([ids])).logits[0, 0].item())
    return rewards


def eurus_prm(case: Case, folder: Path, solution: Solution) -> list[float]:
    tokenizer = case.tokenizer()
    steps = [f"Step {number}: {step}" for number, step in enumerate(solution.steps, start=1)]

    def ids_of(n_steps: int) -> list[int]:
        shown = "\n\n".join(steps[:n_steps]) + ("\n\n" if n_steps < len(steps) else "")
        messages = [
            {"role": "user", "content": solution.question.strip()},
            {"role": "assistant", "content": shown if n_steps else ""},
        ]
        text = tokenizer.apply_chat_template(messages, tokenize=False).strip()
        # Without the token that ends the turn, unless the reply is complete.
        text = text if n_steps == len(steps) else text.removesuffix("<|im_end|>")
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    ids = ids_of(len(steps))
    sums = []
    for n_steps in range(len(steps) + 1):
        end = len(ids_of(n_steps))
        assert ids[:end] == ids_of(n_steps)
        sums.append(end)
    ratios = torch.zeros(len(ids), dtype=torch.float64)
    for path, sign in ((folder, 1), (folder.parent / f"{folder.name}-reference", -1)):
        logs = logits_of(path, ids).double().log_softmax(-1)
        for place in range(1, len(ids)):
            ratios[place] += sign * logs[place - 1, ids[place]]
    return [0.001 * ratios[start:end].sum().item() for start, end in pairwise(sums)]


def with_reference(case: Case, folder: Path) -> None:
    """A model and, beside it, its reference model."""
    set_seed(7)
    reference = folder.parent / f"{folder.name}-reference"
    network = Qwen2ForCausalLM(config_of(case.tokenizer(), Qwen2Config))
    network.save_pretrained(reference)
    causal(Qwen2ForCausalLM, Qwen2Config)(case, folder)


def _two_classes() -> dict[str, nn.Linear]:
    return {"score.0": nn.Linear(64, 64), "score.2": nn.Linear(64, 2)}


_llama, _qwen, _mistral = vocabularies.llama, vocabularies.qwen, vocabularies.mistral
_deepseek, _gemma = vocabularies.deepseek, vocabularies.gemma
_of_llama, _of_qwen = causal(LlamaForCausalLM, LlamaConfig), causal(Qwen2ForCausalLM, Qwen2Config)
_of_mistral = causal(MistralForCausalLM, MistralConfig)
_qwen_prm = headed(Qwen2ForCausalLM, Qwen2Config, "Qwen2ForProcessRewardModel", _two_classes)
_value = headed(
    Qwen2ForCausalLM,
    Qwen2Config,
    "Qwen2ForCausalLM",
    lambda: {"v_head.summary": nn.Linear(64, 1)},
    keeps_output=True,
)
_validity = headed(
    MistralForCausalLM,
    MistralConfig,
    "ReasonEval_7B",
    lambda: {"score_head": nn.Linear(64, 3, bias=False)},
)
_tokens_llama = native(LlamaForTokenClassification, LlamaConfig, 2)
_tokens_qwen = native(Qwen2ForTokenClassification, Qwen2Config, 2)
_one_label = native(LlamaForSequenceClassification, LlamaConfig, 1)

CASES = [
    Case(FormatName.VERSA_PRM, _llama, _of_llama, versa_prm, "llama"),
    Case(FormatName.VERSA_PRM, _qwen, _of_qwen, versa_prm, "qwen"),
    Case(FormatName.MATH_SHEPHERD, _mistral, _of_mistral, math_shepherd),
    Case(FormatName.MATH_PSA, _qwen, adapted, math_psa),
    Case(FormatName.RLHFLOW, _llama, _of_llama, rlhflow),
    Case(FormatName.FOVER, _llama, _of_llama, fover, "llama"),
    Case(FormatName.FOVER, _qwen, _of_qwen, fover, "qwen"),
    Case(FormatName.QWEN_PRM, _qwen, _qwen_prm, qwen_prm),
    Case(FormatName.REASONFLUX_PRM, _qwen, _qwen_prm, qwen_prm),
    Case(FormatName.TRL, _llama, _tokens_llama, trl, "llama"),
    Case(FormatName.TRL, _qwen, _tokens_qwen, trl, "qwen"),
    Case(FormatName.TRL, _deepseek, _tokens_llama, trl, "deepseek"),
    Case(FormatName.PURE, _qwen, _tokens_qwen, pure),
    Case(FormatName.SKYWORK_O1, _qwen, _value, skywork_o1),
    Case(FormatName.REASON_EVAL, _mistral, _validity, reason_eval),
    Case(FormatName.CLASSIFIER, _llama, _one_label, classifier),
    Case(FormatName.CLASSIFIER, _gemma, _one_label, classifier, "gemma"),
    Case(FormatName.CLASSIFIER_STEPS, _llama, _one_label, classifier_steps),
    Case(FormatName.PAIRWISE, _llama, _one_label, pairwise_scores, "llama"),
    Case(FormatName.PAIRWISE, _deepseek, _one_label, pairwise_scores, "deepseek"),
    Case(FormatName.EURUS_PRM, _qwen, with_reference, eurus_prm),
]


def loaded(case: Case, folder: Path) -> RewardModel:
    """The model of a case, made in a folder and loaded from it; its reference model is beside it."""
    case.make(case, folder)
    reference = folder.parent / f"{folder.name}-reference"
    compared = str(reference) if reference.exists() else None
    asked = read_format(case.format)
    return of_format(str(folder), case.tokenizer(), torch.float32, asked, 400, compared)
