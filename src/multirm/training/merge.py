"""Merge an adapter into its base: one model folder that needs no peft to load."""

import logging
from pathlib import Path

from multirm.files import whole
from multirm.models import load_adapter, load_model, load_tokenizer, sources_of
from multirm.provenance import origin_of, write_to_folder

logger = logging.getLogger(__name__)


def merge_adapter(backbone: str, adapter: Path, output: Path) -> None:
    """Write the model that a backbone and its adapter make together, in the backbone's own precision.

    Args:
        backbone: model folder or hub name that the adapter was trained on.
        adapter: folder of the adapter and its tokenizer.
        output: folder for the merged model: config, tokenizer and one file of weights.
    """
    names, folders = sources_of(backbone)
    origin = origin_of(__name__, {"backbone": names}, [adapter, *folders])
    tokenizer = load_tokenizer(str(adapter))
    model = load_adapter(load_model(backbone, dtype="auto"), adapter).merge_and_unload()
    with whole(output) as part:
        # One file of known name, so that workflows can declare it.
        model.save_pretrained(part, max_shard_size="1TB")
        tokenizer.save_pretrained(part)
        write_to_folder(part, "merged model", origin)
    logger.info("merged %s into %s", adapter, backbone)
