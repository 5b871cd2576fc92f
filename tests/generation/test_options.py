"""What a command is told about generation is what an engine is asked for, and what a footer says."""

from dataclasses import replace
from pathlib import Path

from multirm.engines.base import Prompt, Sampling
from multirm.engines.name import EngineName
from multirm.generation.options import GenerationOptions

OPTIONS = GenerationOptions(
    engine=EngineName.OPENAI,
    server="http://127.0.0.1:1/v1",
    max_tokens=5,
    temperature=0.5,
    top_p=0.9,
    top_k=3,
    min_p=0.1,
    seed=7,
)


def test_an_engine_is_asked_for_what_the_options_say() -> None:
    prompts = [Prompt(("a",), [1])]
    request = OPTIONS.request(prompts, 4, first=2, watch=(8, 9), stop=("\n\n",))
    assert request.sampling == Sampling(4, 5, 0.5, 0.9, 3, 0.1, first=2)
    assert (request.prompts, request.seed) == (prompts, 7)
    assert (request.watch, request.stop, request.done) == ((8, 9), ("\n\n",), ())


def test_a_footer_says_all_but_where_the_server_was() -> None:
    assert OPTIONS.parameters == {
        "engine": "openai",
        "max_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 3,
        "min_p": 0.1,
        "seed": 7,
    }


def test_a_footer_says_which_model_of_a_service_it_was() -> None:
    batch = replace(
        OPTIONS,
        engine=EngineName.OPENAI_BATCH,
        server=None,
        batch_folder=Path("batches"),
        service_model="some-model",
    )
    told = {"engine": "openai_batch", "service_model": "some-model"}
    assert batch.parameters == {**OPTIONS.parameters, **told}
