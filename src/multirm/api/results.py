"""What a study has made: `results`, `query` and `load_study`."""

from pathlib import Path
from typing import TYPE_CHECKING

from multirm.api.evaluation import Evaluation, OnDisk
from multirm.api.messages import in_python
from multirm.api.pools import AnyPath, Pools
from multirm.errors import InputError, did_you_mean, shown
from multirm.inspect.query import run_query
from multirm.study import load
from multirm.study.results_folder import results_folder
from multirm.study.study import Study
from multirm.tables.accuracy import ACCURACY

if TYPE_CHECKING:
    import pandas as pd


@in_python()
def query(sql: str, results: AnyPath | None = None) -> "pd.DataFrame":
    """Run one SQL statement that reads tables, as `multirm query` does.

    Args:
        sql: in DuckDB's dialect; each kind of table is a view, such as rewards and accuracy. `SHOW TABLES` lists them.
        results: the folder to search for tables, at any depth; by default, that of the study in config/config.yaml.

    Returns:
        all rows of the result.

    Raises:
        InputError: no such folder, or no SQL that only reads.
    """
    folder = None if results is None else Path(results)
    return run_query(sql, folder, lambda found: found.df())


@in_python()
def load_study(file: AnyPath) -> Study:
    """Read a study's file, check it, and fill in its defaults.

    Args:
        file: such as config/config.yaml.

    Returns:
        frozen typed settings; docs/reference/study.md says what they mean.

    Raises:
        InputError: says everything that is wrong with it.
    """
    path = Path(file)
    return load.load_study(load.read_yaml(path), [path])


@in_python()
def results(folder: AnyPath | None = None) -> "Results":
    """What is in a results folder.

    Args:
        folder: as made by Snakemake; by default, that of the study in config/config.yaml.

    Raises:
        InputError: no such folder.
    """
    path = results_folder(None if folder is None else Path(folder))
    if not path.is_dir():
        raise InputError(path, expected="a folder of results", found="no such folder")
    return Results(path)


class Results:
    """A folder of results. What is listed is what is there at the moment.

    Attributes:
        folder: where it is.
        datasets: the names of datasets of solutions.
        models: the names of the reward models that have rewards.
        evaluations: the names of the datasets that reward models were evaluated on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def datasets(self) -> list[str]:
        """The names of datasets of solutions."""
        return self._with("data", "*.parquet")

    @property
    def models(self) -> list[str]:
        """The names of the reward models that have rewards."""
        return self._with("rewards", "*/*.parquet")

    @property
    def evaluations(self) -> list[str]:
        """The names of the datasets that reward models were evaluated on."""
        return self._with("evaluation", f"{ACCURACY.name}.parquet")

    @in_python()
    def evaluation(self, dataset: str) -> Evaluation:
        """The evaluation on a dataset, read from its tables.

        Args:
            dataset: one of `evaluations`.

        Raises:
            InputError: there is none.
        """
        self._refuse_missing("evaluation", dataset, self.evaluations)
        used = [
            *(self.folder / kind / dataset for kind in ("data", "samples")),
            *self.folder.glob(f"rewards/*/{dataset}"),
        ]
        others = [path for path in used if path.is_dir()]
        return Evaluation(OnDisk(self.folder / "evaluation" / dataset, others))

    @in_python()
    def pools(self, dataset: str) -> Pools:
        """A dataset's solutions, with the rewards of all models that scored it.

        If a policy sampled it here, the samples without an answer are in the pools, too, as in the study.

        Args:
            dataset: one of `datasets`.

        Raises:
            InputError: there is none.
        """
        self._refuse_missing("dataset", dataset, self.datasets)
        folders = {model: self.folder / "rewards" / model / dataset for model in self.models}
        known = self.folder / "evaluation" / dataset / "reward_models.parquet"
        samples = self.folder / "samples" / dataset
        return Pools.read(
            self.folder / "data" / dataset,
            {model: path for model, path in folders.items() if path.is_dir()},
            samples=[samples] if samples.is_dir() else [],
            reward_models=known if known.is_file() else None,
        )

    def query(self, sql: str) -> "pd.DataFrame":
        """Run SQL over all tables in the folder: `multirm.query`."""
        return query(sql, self.folder)

    def __repr__(self) -> str:
        return (
            f"<Results in {self.folder}: evaluations of {', '.join(self.evaluations) or 'nothing'}>"
        )

    def _with(self, kind: str, pattern: str) -> list[str]:
        """The folders of one kind that have files of a pattern."""
        folders = sorted((self.folder / kind).glob("*"))
        return [each.name for each in folders if next(each.glob(pattern), None)]

    def _refuse_missing(self, what: str, name: str, known: list[str]) -> None:
        if name not in known:
            raise InputError(
                f"{self.folder}, {what}",
                expected=f"one of {', '.join(known)}" if known else "some",
                found=shown(name) if known else "none",
                remedy=did_you_mean(name, known),
            )
