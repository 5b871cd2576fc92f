"""Each reader's format: which files of a source it reads, and with which module."""

from collections.abc import Iterator, Sequence

from multirm.data import (
    bigbench_mistake,
    gsm8k,
    math_shepherd,
    mmlu_pro,
    mr_ben,
    prm800k,
    prmbench,
    processbench,
    stepwise,
    versaprm,
    versaprm_csv,
)
from multirm.data.tally import Tally
from multirm.errors import InputError
from multirm.formats import multi_rm
from multirm.formats.json_source import (
    Placed,
    files_of,
    read_json,
    read_json_lines,
    read_objects,
)
from multirm.formats.sources import Reader


def solutions(
    reader: Reader,
    source: Sequence[str],
    category: str,
    tally: Tally,
    repair_last_labels: bool = False,
) -> Iterator[Placed]:
    """Rows of the solutions table, without `dataset`, from files, folders and, if published, hub names.

    A row has `own_labels` if the source says something else of its steps than `step_labels`: for each step, a label
    (0 or 1), a probability that it is correct (a float), or None.

    Args:
        category: of rows that do not name theirs; rows of other categories may come, too.
        tally: counts what is left out or changed.
        repair_last_labels: see `versaprm_csv`.

    Raises:
        InputError: another reader's labels are to be repaired.
    """
    if repair_last_labels and reader is not Reader.VERSAPRM_CSV:
        raise InputError(
            "repair_last_labels", expected=f"the reader {Reader.VERSAPRM_CSV}", found=str(reader)
        )
    match reader:
        case Reader.MMLU_PRO:
            return mmlu_pro.solutions(read_json(files_of(source, "exemplars.json")))
        case Reader.GSM8K:
            return gsm8k.solutions(read_json_lines(files_of(source, "*.jsonl")))
        case Reader.VERSAPRM:
            return versaprm.solutions(read_json_lines(files_of(source, "*.json*")), tally)
        case Reader.VERSAPRM_CSV:
            files = files_of(source, "**/*.csv")
            return versaprm_csv.solutions(files, category, tally, repair_last_labels)
        case Reader.PRM800K:
            return prm800k.solutions(read_objects(files_of(source, "*.json*")), tally)
        case Reader.PRMBENCH:
            return prmbench.solutions(read_json_lines(files_of(source, "*.jsonl")), tally)
        case Reader.MATH_SHEPHERD:
            return math_shepherd.solutions(read_json_lines(files_of(source, "*.jsonl")), tally)
        case Reader.TRL:
            return stepwise.solutions(source, category, tally)
        case Reader.PROCESSBENCH:
            return processbench.solutions(read_json(files_of(source, "*.json")))
        case Reader.MR_BEN:
            return mr_ben.solutions(files_of(source, "*.json"), tally)
        case Reader.BIGBENCH_MISTAKE:
            return bigbench_mistake.solutions(files_of(source, "*.jsonl"))
        case Reader.PUBLISHED:
            return multi_rm.solutions(multi_rm.records_of(source, category), category)


def questions(reader: Reader, source: Sequence[str], category: str) -> Iterator[Placed]:
    """Rows of the questions table, without `dataset`.

    Raises:
        InputError: the reader's questions have no answers.
    """
    match reader:
        case Reader.MMLU_PRO:
            return mmlu_pro.questions(read_json(files_of(source, "eval_questions.json")))
        case Reader.GSM8K:
            return gsm8k.questions(read_json_lines(files_of(source, "*.jsonl")))
        case Reader.VERSAPRM:
            return versaprm.questions(read_json_lines(files_of(source, "*.json*")))
        case Reader.VERSAPRM_CSV:
            return versaprm_csv.questions(files_of(source, "**/*.csv"), category)
        case Reader.PUBLISHED:
            return multi_rm.questions(multi_rm.records_of(source, category), category)
        case _:
            raise InputError(
                "reader",
                expected="one whose questions have answers"
                " (mmlu_pro, gsm8k, versaprm, versaprm_csv, published)",
                found=str(reader),
            )
