"""What reward models were trained and scored with, as their files say."""

from enum import StrEnum

import pyarrow as pa

from multirm.tables.schema import Schema, column


class Stage(StrEnum):
    """What a setting was used in."""

    TRAINING = "training"
    SCORING = "scoring"


HYPER_PARAMETERS = Schema(
    "hyper_parameters",
    1,
    pa.schema(
        [
            column("model", pa.string()),
            # A Stage.
            column("stage", pa.string()),
            column("setting", pa.string()),
            # As text, whatever it is.
            column("value", pa.string()),
        ]
    ),
    ("model", "stage", "setting"),
)
