"""The tokenizer of a model folder, held against its file `tokenizer.json`.

transformers reads some of these files by a class that the folder's configuration names, and some of those
classes put other rules in the place of the file's: `LlamaTokenizerFast` over a byte-level vocabulary
(DeepSeek-R1-Distill-Llama) loses every space and line end. It knows such models by their names on the hub,
and so not when they come from a folder.
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

# What reward models read and write: numbers, step ends, verdicts, and letters of more than one byte.
_PROBES = (
    "Let x = 3.\n\nSo 12345 + 30 = 12375; it's 4,000.5 (C).",
    "  indented\n\ttwice,  two spaces, \r\n and an end \n\n\n\n",
    "Step 1: The step is \\boxed{correct}\n</think>\nIs the solution correct? Yes",
    " Yes",
    " No",
    "+",
    "-",
    " naïve cafés, Größe, 数学の答え、정답, Ответ, 🙂",
    # Longer than what files are truncated to that were saved in the middle of a training.
    "One more step. " * 1000,
)


def read_tokenizer(folder: Path, name: str) -> PreTrainedTokenizerBase:
    """The tokenizer in a model folder: what `tokenizer.json` says, where there is one.

    Args:
        name: the model's, for messages.

    Raises:
        InputError: there is none, or it is damaged, or transformers makes something else of it; or
            without the file, one that does not give a text back.
    """
    # A relative path that looks like a name on the hub would be asked for there.
    folder = folder.resolve()
    file = _read(folder / FILE) if (folder / FILE).is_file() else None
    tokenizer = _load(AutoTokenizer, folder, name)
    if file is not None and (found := _difference(tokenizer, file)):
        logger.warning(
            "%s: read by %s, %s; %s is taken as it is", name, type(tokenizer).__name__, found, FILE
        )
        tokenizer = _load(PreTrainedTokenizerFast, folder, name)
        if found := _difference(tokenizer, file):
            raise InputError(
                name,
                expected=f"a tokenizer that transformers reads as {FILE} has it",
                found=found,
                remedy=f"mend {CONFIG}, or fetch the model's files again",
            )
    if found := _loss(tokenizer):
        if file is None:
            raise InputError(
                name,
                expected="a tokenizer that gives texts back as they are",
                found=found,
                remedy=f"put the model's own {FILE} into its folder",
            )
        logger.warning("%s: %s", name, found)
    _tell_of_no_beginning(tokenizer, folder, name)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.name_or_path = name
    return tokenizer


def _read(path: Path) -> Tokenizer:
    try:
        file = Tokenizer.from_file(str(path))
        for probe in _PROBES:
            file.encode(probe)
    # The library raises nothing more special.
    except Exception as error:
        raise InputError(
            path,
            expected="a whole tokenizer",
            found=first_line(error),
            remedy="fetch it again, or save it again with transformers",
        ) from error
    file.no_truncation()
    file.no_padding()
    return file


def _load(
    kind: type[AutoTokenizer | PreTrainedTokenizerFast], folder: Path, name: str
) -> PreTrainedTokenizerBase:
    try:
        return kind.from_pretrained(folder, trust_remote_code=False)
    # Of files that are not as they should be it raises whatever comes of them: KeyError, AttributeError, …
    except Exception as error:
        raise InputError(
            name,
            expected="a model folder or hub name with a tokenizer",
            found=first_line(error),
        ) from error


def _difference(tokenizer: PreTrainedTokenizerBase, file: Tokenizer) -> str:
    """What a tokenizer makes otherwise than its file; nothing where there is nothing."""
    for probe in _PROBES:
        expected = file.encode(probe, add_special_tokens=False).ids
        try:
            found = tokenizer.encode(probe, add_special_tokens=False, verbose=False)
        # Another class may ask for tokens that the file does not have.
        except Exception as error:
            return f"{shown(probe, 30)} becomes an error, {first_line(error)}"
        if found != expected:
            return (
                f"{shown(probe, 30)} becomes {shown(tokenizer.decode(found), 40)} in {len(found)} tokens,"
                f" by the file {len(expected)}"
            )
        if tokenizer.decode(found, clean_up_tokenization_spaces=False) != file.decode(
            expected, skip_special_tokens=False
        ):
            return f"{shown(probe, 30)} is read back as another text than by the file"
    for number, token in file.get_added_tokens_decoder().items():
        if tokenizer.convert_tokens_to_ids(token.content) != number:
            return f"{shown(token.content)} is not token {number}, as in the file"
    return ""


def _loss(tokenizer: PreTrainedTokenizerBase) -> str:
    """What a tokenizer does not give back of plain text with spaces and line ends; nothing if all."""
    text = _PROBES[0]
    ids = tokenizer.encode(text, add_special_tokens=False, verbose=False)
    back = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    return "" if back.strip() == text else f"{shown(text, 30)} is read back as {shown(back, 40)}"


def _tell_of_no_beginning(tokenizer: PreTrainedTokenizerBase, folder: Path, name: str) -> None:
    """Say so where the configuration asks for a token at the beginning which the file does not put there.

    transformers has obeyed the file since version 5, and the configuration before.
    """
    path = folder / CONFIG
    config = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    is_asked_for = config.get("add_bos_token") is True and tokenizer.bos_token_id is not None
    if is_asked_for and tokenizer.encode("")[:1] != [tokenizer.bos_token_id]:
        logger.warning(
            "%s: %s asks for %s before a text; there is none, as %s has it",
            name,
            CONFIG,
            tokenizer.bos_token,
            FILE,
        )
