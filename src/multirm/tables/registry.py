"""All tables: imported only by modules that need all of them."""

from multirm.tables.accuracy import ACCURACY
from multirm.tables.accuracy_over_seeds import ACCURACY_OVER_SEEDS
from multirm.tables.augmentations import AUGMENTATION_COUNTS, AUGMENTATIONS
from multirm.tables.category_groups import CATEGORY_GROUPS
from multirm.tables.changes import CHANGES
from multirm.tables.comparisons import COMPARISONS
from multirm.tables.continuation_shares import CONTINUATION_SHARES
from multirm.tables.continuations import CONTINUATIONS
from multirm.tables.conversations import CONVERSATIONS
from multirm.tables.costs import COSTS
from multirm.tables.critiques import CRITIQUE_CHECKS, CRITIQUES, EXAMPLE_TOKENS, FILTERING
from multirm.tables.dataset_statistics import DATASET_STATISTICS
from multirm.tables.domains import DOMAINS
from multirm.tables.error_depths import ERROR_DEPTHS, ERROR_PERSISTENCE
from multirm.tables.f1 import F1_BY_CRITIQUES, MINIMUM_POSITIONS, STEP_THRESHOLDS, THRESHOLDS
from multirm.tables.gain_table import GAIN_TABLE
from multirm.tables.headline import HEADLINE
from multirm.tables.hyper_parameters import HYPER_PARAMETERS
from multirm.tables.judgements import JUDGEMENTS
from multirm.tables.label_agreement import LABEL_AGREEMENT
from multirm.tables.labels import LABELS
from multirm.tables.ledger import LEDGER
from multirm.tables.length_shift import LENGTH_SHIFT, STEP_COUNTS
from multirm.tables.log_errors import LOG_ERROR_SIMULATION, LOG_ERROR_SLOPES, LOG_ERRORS
from multirm.tables.nodes import NODES
from multirm.tables.preferences import PREFERENCES
from multirm.tables.questions import QUESTIONS
from multirm.tables.reply_counts import REPLY_COUNTS
from multirm.tables.response_accuracy import (
    RESPONSE_ACCURACY,
    RESPONSE_REWARDS,
    REWARD_LENGTH_CORRELATIONS,
)
from multirm.tables.responses import RESPONSES
from multirm.tables.reward_models import REWARD_MODELS
from multirm.tables.reward_table import REWARD_TABLE
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES
from multirm.tables.samples import SAMPLES
from multirm.tables.search_accuracy import SEARCH_ACCURACY, SEARCH_GAINS
from multirm.tables.search_nodes import SEARCH_NODES
from multirm.tables.searches import SEARCHES
from multirm.tables.solution_analyses import (
    AGREEMENT,
    LENGTH_CORRELATIONS,
    LENGTHS,
    RECOVERIES,
    SOLUTION_GROUPS,
)
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.training import CURVES, EXAMPLES, VALIDATION
from multirm.tables.tree_counts import TREE_COUNTS
from multirm.tables.uncertainty import CRITIQUE_COUNTS, VARIANCE
from multirm.tables.verification import RELIABILITY, STEP_VERIFICATION, VERIFICATION

SCHEMAS = {
    schema.name: schema
    for schema in (
        QUESTIONS,
        SOLUTIONS,
        LABELS,
        LABEL_AGREEMENT,
        JUDGEMENTS,
        CONTINUATIONS,
        CONTINUATION_SHARES,
        AUGMENTATIONS,
        CRITIQUES,
        CRITIQUE_CHECKS,
        EXAMPLE_TOKENS,
        CONVERSATIONS,
        NODES,
        TREE_COUNTS,
        PREFERENCES,
        SAMPLES,
        RESPONSES,
        REWARD_MODELS,
        REWARDS,
        SCORED_CRITIQUES,
        SEARCH_NODES,
        SEARCHES,
        CURVES,
        EXAMPLES,
        VALIDATION,
        ACCURACY,
        ACCURACY_OVER_SEEDS,
        CATEGORY_GROUPS,
        COMPARISONS,
        CHANGES,
        HEADLINE,
        COSTS,
        DOMAINS,
        VARIANCE,
        CRITIQUE_COUNTS,
        VERIFICATION,
        RELIABILITY,
        STEP_VERIFICATION,
        THRESHOLDS,
        STEP_THRESHOLDS,
        F1_BY_CRITIQUES,
        MINIMUM_POSITIONS,
        LENGTHS,
        LENGTH_CORRELATIONS,
        SOLUTION_GROUPS,
        RECOVERIES,
        AGREEMENT,
        LOG_ERRORS,
        LOG_ERROR_SLOPES,
        LOG_ERROR_SIMULATION,
        ERROR_DEPTHS,
        ERROR_PERSISTENCE,
        SEARCH_ACCURACY,
        SEARCH_GAINS,
        LEDGER,
        RESPONSE_ACCURACY,
        RESPONSE_REWARDS,
        REWARD_LENGTH_CORRELATIONS,
        DATASET_STATISTICS,
        HYPER_PARAMETERS,
        FILTERING,
        REPLY_COUNTS,
        AUGMENTATION_COUNTS,
        REWARD_TABLE,
        GAIN_TABLE,
        STEP_COUNTS,
        LENGTH_SHIFT,
    )
}
