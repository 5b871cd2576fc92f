"""Simulated coverage of intervals and false positive rates of tests: run by hand.

python tests/benchmarks/coverage.py         about two CPU minutes
python tests/benchmarks/coverage.py full    five times as many samples

Each line is a case, with the percentile bootstrap (or another usual method) beside ours:
coverage and mean width in %, or how many studies without any difference have a p_holm of 0.05 or
less. After ± is the Monte Carlo error, two standard errors.
"""

import sys
from collections.abc import Callable, Mapping

import numpy as np

from multirm.evaluation import intervals
from multirm.evaluation.exact import best_of_n
from multirm.evaluation.expected import columns
from multirm.evaluation.methods import Scorer
from multirm.evaluation.outcome_metrics import outcome_metrics
from multirm.evaluation.significance import holm, p_values
from multirm.evaluation.training_seeds import parts_of, seed_degrees, variance_of_means
from multirm.evaluation.variance import extrapolated, halves, variance_from_halves
from multirm.tables.accuracy import OVERALL, Aggregation
from multirm.tables.reward_model_rows import from_names, means_of

# Signs or resamples per p-value: enough that the smallest of 66 can be 0.05 after Holm's correction.
TIMES = 6000

Bounds = tuple[np.ndarray, np.ndarray]
Draw = Callable[[np.random.Generator, float, tuple[int, int]], np.ndarray]


def binary(generator: np.random.Generator, p: float, shape: tuple[int, int]) -> np.ndarray:
    return (generator.random(shape) < p).astype(float)


def spread(generator: np.random.Generator, p: float, shape: tuple[int, int]) -> np.ndarray:
    """Half the variance of right-or-wrong questions."""
    return generator.beta(p, 1 - p, shape)


def rare(generator: np.random.Generator, p: float, shape: tuple[int, int]) -> np.ndarray:
    """Right, except for a few questions that are sometimes right, as with best-of-N and pass@N."""
    chosen = generator.random(shape) < (1 - p) / 0.7
    return np.where(chosen, 0.6 * generator.random(shape), 1.0)


def bootstrapped(
    values: Mapping[str, np.ndarray], generator: np.random.Generator, resamples: int = 400
) -> Bounds:
    """The percentile interval of the macro-average, resampled within categories."""
    means = 0.0
    for part in values.values():
        n = len(part)
        counts = generator.multinomial(n, np.full(n, 1 / n), resamples)
        means = means + counts @ part / n / len(values)
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return low, high


def held(bounds: Bounds, truth: float) -> str:
    low, high = bounds
    covered = np.mean((low <= truth + 1e-12) & (truth - 1e-12 <= high))
    error = 200 * np.sqrt(covered * (1 - covered) / len(low))
    return f"{100 * covered:5.1f} ±{error:3.1f} % width {100 * np.mean(high - low):5.1f}"


def accuracies(generator: np.random.Generator, samples: int) -> None:
    print("\nAn accuracy per category, and Overall: bootstrap | ours")
    cases = [[n] for n in (1, 5, 20, 150)]
    cases += [[2] * 14, [5] * 14, [20] * 14, [100] * 13 + [1], [1] * 14, [100] * 4]
    kinds: dict[str, tuple[Draw, tuple[float, ...]]] = {
        "right or wrong": (binary, (0.5, 0.8, 0.95, 0.983)),
        "in between": (spread, (0.5, 0.8, 0.95, 0.983)),
        "mostly right": (rare, (0.8, 0.95, 0.983)),
    }
    for kind, (draw, truths) in kinds.items():
        for sizes in cases:
            for p in truths:
                values = {str(k): draw(generator, p, (n, samples)) for k, n in enumerate(sizes)}
                ours = intervals.of_shares(intervals.mean_of(values))
                usual = bootstrapped(values, generator)
                print(f"{kind:15} {shape(sizes):12} p {p:5.3f}: {held(usual, p)} | {held(ours, p)}")


def shape(sizes: list[int]) -> str:
    """`13×100 + 1×1`."""
    counts = {n: sizes.count(n) for n in sizes}
    return " + ".join(f"{count}×{n}" for n, count in counts.items())


def differences(generator: np.random.Generator, samples: int) -> None:
    print("\nA difference of two methods: bootstrap | ours")
    for name, share in (("seldom apart", 0.03), ("often apart", 0.25)):
        for sizes in ([5], [20], [150], [2] * 14, [20] * 14, [100] * 13 + [1]):
            for truth in (0.0, 0.05):
                values = {}
                for k, n in enumerate(sizes):
                    drawn = generator.random((n, samples))
                    values[str(k)] = (drawn < share + truth).astype(float) - (drawn > 1 - share)
                mean = intervals.mean_of(values)
                ours = intervals.of_differences(mean, intervals.typical_size(values))
                usual = bootstrapped(values, generator)
                print(
                    f"{name:15} {shape(sizes):12} {truth:.2f}: {held(usual, truth)} | {held(ours, truth)}"
                )


def errors_of_tests(generator: np.random.Generator, studies: int) -> None:
    print("\nStudies of equal models with any p_holm ≤ 0.05: bootstrap | ours")
    for models, sizes in ((4, [20]), (12, [20]), (4, [150]), (12, [10] * 14)):
        pairs = [(i, j) for i in range(models) for j in range(i)]
        false = np.zeros(2)
        for study in range(studies):
            values = {}
            for k, n in enumerate(sizes):
                hard = generator.beta(1.5, 1, (n, 1))
                own = (generator.random((n, models)) < hard).astype(float)
                values[str(k)] = np.stack([own[:, i] - own[:, j] for i, j in pairs], axis=1)
            p = p_values(values, study, flips=TIMES)[OVERALL]
            false += [
                (holm(bootstrap_p(values, generator)) <= 0.05).any(),
                (holm(p) <= 0.05).any(),
            ]
        shares = " | ".join(with_error(count / studies, studies) for count in false)
        print(f"{models:2} models, {shape(sizes):7}: {shares}")
    any_family(generator, studies)


def any_family(generator: np.random.Generator, studies: int) -> None:
    """Four equal models on 14 categories, with five N that share their solutions."""
    primary = every = 0
    pairs = [(i, j) for i in range(4) for j in range(i)]
    for study in range(studies):
        values = {}
        for k in range(14):
            latent = generator.normal(0, 1, (30, 4))
            own = [latent + 0.7 * generator.normal(0, 1, (30, 4)) > 0 for _ in range(5)]
            apart = [(n[:, [i]] * 1.0 - n[:, [j]]) for n in own for i, j in pairs]
            values[str(k)] = np.concatenate(apart, axis=1)
        found = p_values(values, study, flips=TIMES)
        families = {
            (name, n): holm(p[len(pairs) * n : len(pairs) * (n + 1)])
            for name, p in found.items()
            for n in range(5)
        }
        primary += (families[OVERALL, 4] <= 0.05).any()
        every += any((p <= 0.05).any() for p in families.values())
    print(f"the primary family of a study:    {with_error(primary / studies, studies)}")
    print(f"any of its {15 * 5} families:           {with_error(every / studies, studies)}")


def bootstrap_p(
    values: Mapping[str, np.ndarray], generator: np.random.Generator, resamples: int = TIMES
) -> np.ndarray:
    """Twice the fraction of resamples on the other side of 0."""
    means = 0.0
    for part in values.values():
        n = len(part)
        means = means + generator.multinomial(n, np.full(n, 1 / n), resamples) @ part
    tails = [(means <= 1e-9).sum(axis=0), (means >= -1e-9).sum(axis=0)]
    return np.minimum(1, 2 * (1 + np.minimum(*tails)) / (resamples + 1))


def with_error(share: float, samples: int) -> str:
    return f"{100 * share:5.1f} ±{200 * np.sqrt(share * (1 - share) / samples):3.1f} %"


def seeds(generator: np.random.Generator, samples: int) -> None:
    print("\nThe mean over training seeds: each model's own seeds alone | all models' together")
    for models, n_seeds in ((1, 2), (4, 2), (4, 3)):
        for factor in (1, 3):
            scorers = [
                Scorer(f"m{k}" + f"@{s}" * (s > 0), Aggregation.LAST)
                for k in range(models)
                for s in range(n_seeds)
            ]
            means = means_of(from_names(scorer.model for scorer in scorers))
            keys, parts = columns([4], scorers), parts_of([4], scorers, means)
            where = [k for k, (_, method) in enumerate(keys) if method.selection == "best_of_n"]
            averaged = [
                k
                for k, (_, method) in enumerate(parts)
                if method.selection == "best_of_n" and method.scorer and "mean" in method.scorer[0]
            ]
            # From the model with the smallest variance between seeds to that with the largest.
            scales = np.repeat(0.02 * np.linspace(1, factor, models), n_seeds)
            alone: list[list[np.ndarray]] = [[], []]
            together: list[list[np.ndarray]] = [[], []]
            for _ in range(samples // 4):
                values = np.full((150, len(keys)), 0.5)
                values[:, where] += generator.normal(0, 0.3, (150, 1))
                values[:, where] += generator.normal(0, scales)
                averages = np.stack([values[:, part].mean(axis=1) for part in parts.values()], 1)
                own = intervals.mean_of({"": averages[:, averaged]})
                inside = intervals.of_shares(own)
                spread_of_own = [
                    values.mean(axis=0)[list(parts.values())[k]].var(ddof=1) / n_seeds
                    for k in averaged
                ]
                pooled = variance_of_means(values.mean(axis=0), parts)[averaged]
                for bounds, variance, df in (
                    (alone, np.array(spread_of_own), n_seeds - 1),
                    (together, pooled, seed_degrees(parts)),
                ):
                    low, high = intervals.widened(own.value, inside, np.sqrt(variance), df, (0, 1))
                    bounds[0].append(low)
                    bounds[1].append(high)
            shown = " | ".join(
                held((np.concatenate(low), np.concatenate(high)), 0.5)
                for low, high in (alone, together)
            )
            print(f"{models} models × {n_seeds} seeds, deviations 1 to {factor}: {shown}")


def verification(generator: np.random.Generator, samples: int) -> None:
    print("\nMeasures of verification, 8 solutions to a question: solutions apart | by question")
    names = ("precision", "recall", "f1", "roc_auc", "pr_auc", "brier", "ece")

    def drawn(questions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        easy, misled = generator.normal(0, 1.2, (2, questions, 1))
        correct = easy + generator.normal(0, 1, (questions, 8)) > 0
        logit = 1.2 * (2 * correct - 1) + misled + generator.normal(0, 1, (questions, 8))
        ids = np.repeat(np.arange(questions), 8)
        return 1 / (1 + np.exp(-logit.ravel())), correct.ravel(), ids

    truth = outcome_metrics(*drawn(60_000))
    for questions in (10, 30, 150):
        bounds: dict[tuple[str, int], list[tuple[float, float]]] = {}
        for _ in range(samples // 10):
            rewards, correct, ids = drawn(questions)
            for way, owners in enumerate((np.arange(len(ids)), ids)):
                found = outcome_metrics(rewards, correct, owners).intervals
                for name in names:
                    bounds.setdefault((name, way), []).append(found.get(name, (0.0, 1.0)))
        for name in names:
            shown = " | ".join(
                held(tuple(np.array(bounds[name, way]).T), getattr(truth, name)) for way in (0, 1)
            )
            print(f"{name:10} {questions:4} questions: {shown}")
    for questions in (20, 150):
        found = []
        for _ in range(samples // 10):
            rewards = generator.random((questions, 8))
            correct = (generator.random((questions, 8)) < rewards).ravel()
            metrics = outcome_metrics(rewards.ravel(), correct, np.arange(8 * questions) // 8)
            found.append([metrics.ece, metrics.ece_null, metrics.ece_debiased])
        ece, null, debiased = np.mean(np.array(found, dtype=float), axis=0)
        print(
            f"perfectly calibrated, {questions} questions: ece {ece:.3f}, "
            f"by chance {null:.3f}, debiased {debiased:.3f}"
        )


def shares_of_variance(generator: np.random.Generator, samples: int) -> None:
    print("\nShares of the variance, in parts of the true one: halving | ours")
    easy = generator.beta(1.5, 2, 50)
    questions = np.repeat(easy, samples // 25)[:, None]
    for n in (1, 2, 4, 8):
        correct = generator.random((len(questions), 16)) < questions
        rewards = 0.3 * correct + generator.random(correct.shape)
        whole = best_of_n(correct, rewards, [n])[0]
        true = whole.reshape(50, -1).var(axis=1, ddof=1).mean()
        order = halves([str(k) for k in range(len(questions))], 16, n, 4)
        a, b = (
            np.stack(
                [
                    best_of_n(
                        np.take_along_axis(correct, one, 1),
                        np.take_along_axis(rewards, one, 1),
                        [n],
                    )[0]
                    for one in part
                ]
            )
            for part in (order[..., :8], order[..., 8:])
        )
        usual, ours = np.square(a - b).mean() / 4, variance_from_halves(whole, a, b).mean()
        print(f"solutions, N = {n:2} of 16: {usual / true:.2f} | {ours / true:.2f}")
    correct = generator.random((4 * samples, 16)) < generator.beta(1.5, 2, (4 * samples, 1))
    quality = 0.2 * correct + 0.1 * generator.normal(size=correct.shape)
    for n in (2, 8, 16):
        for count in (4, 8, 16):
            variance = {}
            for m, times in ((count, 4), (count // 2, 2), (count // 4, 4)):
                drawn = [
                    best_of_n(
                        correct,
                        quality + 0.4 * generator.normal(size=correct.shape) / m**0.5,
                        [n],
                    )[0]
                    for _ in range(times)
                ]
                variance[m] = np.array(drawn).var(axis=0, ddof=1).mean()
            half, quarter = (np.array([variance[count // k]]) for k in (2, 4))
            ours = extrapolated(half, quarter, np.array([count]))[0] / variance[count]
            usual = variance[count // 2] / 2 / variance[count]
            print(f"{count:2} critiques, N = {n:2}: {usual:.2f} | {ours:.2f}")


def main(samples: int) -> None:
    generator = np.random.default_rng(10)
    accuracies(generator, samples)
    differences(generator, samples)
    errors_of_tests(generator, samples // 4)
    seeds(generator, samples)
    verification(generator, samples)
    shares_of_variance(generator, samples)


if __name__ == "__main__":
    main(20_000 if sys.argv[1:] == ["full"] else 4000)
