"""Load the tokenizer of a model folder, and check it against the file `tokenizer.json`.

transformers may read the file with a class named in the folder's configuration, and some classes replace the file's
rules: `LlamaTokenizerFast` with a byte-level vocabulary (DeepSeek-R1-Distill-Llama) loses all spaces and line ends.
transformers corrects this only for known hub names, and so not for folders.
"""

import json
import logging
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from multirm.errors import InputError, shown
from multirm.models.folders import first_line

logger = logging.getLogger(__name__)

FILE = "tokenizer.json"
CONFIG = "tokenizer_config.json"

# Typical text of reward models: numbers, step ends, verdicts, and characters of more than one byte.
_PROBES = (
    "Let x = 3.\n\nSo 12345 + 30 = 12375; it's 4,000.5 (C).",
    "  indented\n\ttwice,  two spaces, \r\n and an end \n\n\n\n",
    "Step 1: The step is \\boxed{correct}\n</think>\nIs the solution correct? Yes",
    " Yes",
    " No",
    "+",
    "-",
    " naïve cafés, Größe, 数学の答え、정답, Ответ, 🙂",
    # Long enough to be truncated by files that were saved with a training run's maximum length.
    "One more step. " * 1000,
)


def read_tokenizer(folder: Path, name: str) -> PreTrainedTokenizerBase:
    """The tokenizer in a model folder, as `tokenizer.json` defines it, if there is one.

    Args:
        name: name of the model, for messages.

    Raises:
        InputError: there is none, it is damaged, or transformers does not follow `tokenizer.json`; or, without
            that file, decoding does not give back a text.
    """
    # A relative path that looks like a hub name would be looked up there.
    folder = folder.resolve()
    file = _read(folder / FILE) if (folder / FILE).is_file() else None
    tokenizer = _load(AutoTokenizer, folder, name)
    if file is not None and (found := _difference(tokenizer, file)):
        logger.warning(
            "%s: with %s, %s; using %s instead", name, type(tokenizer).__name__, found, FILE
        )
        tokenizer = _load(PreTrainedTokenizerFast, folder, name)
        if found := _difference(tokenizer, file):
            raise InputError(
                name,
                expected=f"a tokenizer that transformers reads as defined in {FILE}",
                found=found,
                remedy=f"correct {CONFIG}, or download the model's files again",
            )
    if found := _loss(tokenizer):
        if file is None:
            raise InputError(
                name,
                expected="a tokenizer that decodes texts to what was encoded",
                found=found,
                remedy=f"put the model's own {FILE} into its folder",
            )
        logger.warning("%s: %s", name, found)
    _warn_of_missing_bos(tokenizer, folder, name)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.name_or_path = name
    return tokenizer


def _read(path: Path) -> Tokenizer:
    try:
        file = Tokenizer.from_file(str(path))
        for probe in _PROBES:
            file.encode(probe)
    # The library raises nothing more specific.
    except Exception as error:
        raise InputError(
            path,
            expected="a complete tokenizer",
            found=first_line(error),
            remedy="download it again, or save it again with transformers",
        ) from error
    file.no_truncation()
    file.no_padding()
    return file


def _load(
    kind: type[AutoTokenizer | PreTrainedTokenizerFast], folder: Path, name: str
) -> PreTrainedTokenizerBase:
    try:
        return kind.from_pretrained(folder, trust_remote_code=False)
    # Invalid files can raise anything: KeyError, AttributeError, …
    except Exception as error:
        raise InputError(
            name,
            expected="a model folder or hub name with a tokenizer",
            found=first_line(error),
        ) from error


def _difference(tokenizer: PreTrainedTokenizerBase, file: Tokenizer) -> str:
    """The first difference between a tokenizer and its file; empty if there is none."""
    for probe in _PROBES:
        expected = file.encode(probe, add_special_tokens=False).ids
        try:
            found = tokenizer.encode(probe, add_special_tokens=False, verbose=False)
        # Another class may need tokens that the file does not have.
        except Exception as error:
            return f"{shown(probe, 30)} becomes an error, {first_line(error)}"
        if found != expected:
            return (
                f"{shown(probe, 30)} becomes {shown(tokenizer.decode(found), 40)} in {len(found)} tokens,"
                f" not {len(expected)} as with the file"
            )
        if tokenizer.decode(found, clean_up_tokenization_spaces=False) != file.decode(
            expected, skip_special_tokens=False
        ):
            return f"{shown(probe, 30)} is decoded to another text than with the file"
    for number, token in file.get_added_tokens_decoder().items():
        if tokenizer.convert_tokens_to_ids(token.content) != number:
            return f"{shown(token.content)} is not token {number}, as in the file"
    return ""


def _loss(tokenizer: PreTrainedTokenizerBase) -> str:
    """How decoding changes a plain text with spaces and line ends; empty if it does not."""
    text = _PROBES[0]
    ids = tokenizer.encode(text, add_special_tokens=False, verbose=False)
    back = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    return "" if back.strip() == text else f"{shown(text, 30)} is decoded as {shown(back, 40)}"


def _warn_of_missing_bos(tokenizer: PreTrainedTokenizerBase, folder: Path, name: str) -> None:
    """Warn if the configuration asks for a beginning-of-sequence token that the file does not add.

    transformers follows the file since version 5; before, it followed the configuration.
    """
    path = folder / CONFIG
    config = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    is_asked_for = config.get("add_bos_token") is True and tokenizer.bos_token_id is not None
    if is_asked_for and tokenizer.encode("")[:1] != [tokenizer.bos_token_id]:
        logger.warning(
            "%s: %s asks for %s before a text, but %s does not add it, and so it is left out",
            name,
            CONFIG,
            tokenizer.bos_token,
            FILE,
        )
