"""The files of the jobs that search for answers, and of those that evaluate searches."""

from multirm.study.files import (
    RESULTS,
    backbone_files,
    backbone_files_of_model,
    backbone_model,
    format_files,
    own_files,
    question_table,
    solution_table,
)
from multirm.study.study import Study
from multirm.tables.searches import SearchMethod


def search_table(search: str, category: str) -> str:
    """The table of a search's questions of a category."""
    return f"{RESULTS}/searches/{search}/{category}.parquet"


def node_table(search: str, category: str) -> str:
    """The table of the nodes of a search's trees of a category."""
    return f"{RESULTS}/searches/{search}/{category}.nodes.parquet"


def searched_questions(study: Study, search: str, category: str) -> str:
    """The table of questions that a search answers."""
    return question_table(study.searches[search].questions, category)


def policy(study: Study, search: str) -> str:
    """The folder or hub name of a search's policy."""
    return backbone_model(study, study.searches[search].policy)


def policy_files(study: Study, search: str) -> list[str]:
    """The files of a search's policy; none for a hub name."""
    return backbone_files(study, study.searches[search].policy)


def exemplars(study: Study, search: str, category: str) -> list[str]:
    """The table of worked examples that a search's policy is shown; none if there are none."""
    name = study.searches[search].exemplars
    return [solution_table(name, category)] if name else []


def reward_model_files(study: Study, search: str) -> list[str]:
    """The files of a search's reward model besides its own: of its backbone, and of its format."""
    model = study.searches[search].model
    return [*backbone_files_of_model(study, model), *format_files(study, model)]


def own_files_of_reward_model(study: Study, search: str) -> list[str]:
    """The weights and the configuration of a search's reward model; none if it was trained elsewhere."""
    return own_files(study, study.searches[search].model)


def searches_of(study: Study, questions: str) -> list[str]:
    """The searches that answer a set of questions."""
    return [name for name, each in study.searches.items() if each.questions == questions]


def compared_searches(study: Study, questions: str) -> dict[str, list[str]]:
    """The tables of the searches that answer a set of questions, and the nodes of those that are baselines."""
    categories = study.categories_of_questions(questions)
    names = searches_of(study, questions)
    baselines = [name for name in names if study.searches[name].method is SearchMethod.BEST_OF_N]
    return {
        "searches": [search_table(name, each) for name in names for each in categories],
        "search_nodes": [node_table(name, each) for name in baselines for each in categories],
    }
