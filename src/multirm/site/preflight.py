"""Checks before the first job of a run, for what would stop a later one."""

from collections.abc import Iterable
from pathlib import Path

from multirm.errors import InputError


def check_engines(engines: Iterable[str], environments: Path) -> None:
    """Check that engines with an environment of their own are installed.

    Args:
        engines: names of the engines that jobs will use.
        environments: the folder that `.venv-vllm` is in.

    Raises:
        InputError: vLLM is needed and missing.
    """
    environment = environments / ".venv-vllm"
    if "vllm" in engines and not (environment / "bin" / "python").exists():
        raise InputError(
            environment.name,
            expected="an environment with vLLM, which this study's jobs need",
            found="none",
            remedy="run `make vllm` (CPU only); for GPUs, see docs/engines.md",
        )


def check_access(models: Iterable[str]) -> None:
    """Check that this user may download the models that are not on this machine.

    If the hub is unreachable, or HF_HUB_OFFLINE is set, nothing is checked: jobs may find the models in a cache.

    Args:
        models: folders and hub names.

    Raises:
        InputError: a model does not exist, or is gated or private and the token is missing or lacks access.
    """
    names = sorted({model for model in models if not Path(model).exists()})
    if not names:
        return
    from httpx2 import HTTPError
    from huggingface_hub import auth_check, constants
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    if constants.HF_HUB_OFFLINE:
        return
    for name in names:
        try:
            auth_check(name)
        except GatedRepoError as error:
            raise InputError(
                name,
                expected="access to a gated model",
                found="none",
                remedy="accept its licence on the hub, and put your token into HF_TOKEN",
            ) from error
        except RepositoryNotFoundError as error:
            raise InputError(
                name,
                expected="a model on the hub, or a folder",
                found="neither",
                remedy="check the spelling; a private one needs HF_TOKEN",
            ) from error
        except (HfHubHTTPError, HTTPError, OSError, ValueError):
            return
