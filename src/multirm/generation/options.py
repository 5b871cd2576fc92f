"""How critiques are drawn, as the commands that draw them are told."""

from dataclasses import asdict, dataclass

from cyclopts import Parameter

from multirm.engines.base import Sampling
from multirm.running.numbers import Count, CountOrZero, Fraction, FractionAboveZero, PositiveOrZero


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """What is left in of the tokens that may come next, and when to stop.

    Attributes:
        max_tokens: a critique is cut off after so many tokens, and marked.
        temperature: of the sampling; 0 takes the likeliest token.
        top_p: the likeliest tokens that come to this probability are left in.
        top_k: so many likeliest tokens are left in; 0 leaves all.
        min_p: tokens with less than this share of the likeliest token's probability are left out.
    """

    max_tokens: Count = 8192
    temperature: PositiveOrZero = 0.6
    top_p: FractionAboveZero = 1.0
    top_k: CountOrZero = 0
    min_p: Fraction = 0.0

    def sampling(self, n: int, first: int = 0) -> Sampling:
        """Samples `first` to `first + n - 1` of each prompt, drawn so."""
        return Sampling(n, **asdict(self), first=first)
