"""What can be known to be missing before the first job of a run, and would stop a later one."""

from collections.abc import Iterable
from pathlib import Path

from multirm.errors import InputError


def check_engines(engines: Iterable[str], environments: Path) -> None:
    """Check that the engines that have an environment of their own have been installed.

    Args:
        engines: names of the engines that jobs will use.
        environments: the folder that `.venv-vllm` is in.

    Raises:
        InputError: there is no vLLM.
    """
    environment = environments / ".venv-vllm"
    if "vllm" in engines and not (environment / "bin" / "python").exists():
        raise InputError(
            environment.name,
            expected="an environment with vLLM, which this study's jobs need",
            found="none",
            remedy="`make vllm` without GPUs; see README, Engines, for machines with them",
        )


def check_access(models: Iterable[str]) -> None:
    """Check that the hub gives what is not on this machine to whoever runs this.

    Where the hub is out of reach, or HF_HUB_OFFLINE forbids to ask, nothing is said: jobs may find in a cache
    what they need.

    Args:
        models: folders and hub names.

    Raises:
        InputError: a model is gated or private and the token missing or not admitted, or there is none so called.
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
