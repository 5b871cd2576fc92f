"""The largest difference of each format's rewards from its reference, for docs/formats.md: run by hand.

python tests/benchmarks/formats.py
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.reward_models import verdict_cases
from tests.reward_models.format_cases import CASES, SOLUTIONS, loaded


def main() -> None:
    for verdict_case in verdict_cases.CASES:
        with TemporaryDirectory() as place:
            folder = Path(place) / "model"
            verdict_cases.make(verdict_case, folder)
            written = verdict_cases.scored(verdict_case, folder, Path(place))
            pairs = [
                (reward, other)
                for solution, rewards in zip(verdict_cases.TO_SCORE, written, strict=True)
                for reward, other in zip(
                    rewards, verdict_case.reference(folder, solution), strict=True
                )
            ]
            apart = [abs(one - other) for one, other in pairs if None not in (one, other)]
        print(f"{verdict_case.format:22} {max(apart):.1e}   {len(apart)} of {len(pairs)} rewards")
    for case in CASES:
        with TemporaryDirectory() as place:
            folder = Path(place) / "model"
            scored = loaded(case, folder).score(SOLUTIONS)
            differences, largest = [0.0], 0.0
            for solution, found in zip(SOLUTIONS, scored, strict=True):
                expected = case.reference(case, folder, solution)
                for reward, other in zip(found.rewards, expected, strict=True):
                    assert reward is not None
                    differences.append(abs(reward - other))
                    largest = max(largest, abs(other))
        print(f"{case.id:22} {max(differences):.1e}   largest reward {largest:.3g}")


if __name__ == "__main__":
    main()
