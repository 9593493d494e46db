"""Summary of a metric over seeds: mean, sample standard deviation and interval over patients."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from uadbench.evaluation.voxels.jackknife import DECIDES

SUMMARISED = ("seed", "value", "low", "high", "n_eff")  # columns that a summary is made of
ONE_DECIDES = "one subject decides"  # a number whose effective number of patients is below DECIDES


@dataclass(frozen=True)
class Summary:
    """One metric of one method on one task. Values that were not computed are None, never NaN."""

    mean: float
    std: float | None = None  # sample standard deviation over seeds (n - 1); None for one seed
    low: float | None = None  # 95 % interval over patients, limits averaged over seeds
    high: float | None = None
    seeds: tuple[int, ...] = ()
    spanned: bool = False  # whether it is printed with its interval in place of the deviation
    n_eff: float | None = None  # effective number of patients, see `jackknife.Spread`, averaged over seeds

    @property
    def digits(self) -> int:
        """Decimals of the number as printed by default."""
        return 3 if abs(self.mean) < 0.0995 else 2 if abs(self.mean) < 9.995 else 1

    def text(self, digits: int | None = None) -> str:
        """The number as printed: "0.32 ± 0.01", "0.32 (0.12–0.48)"; by default three digits below 0.1, one from 10 on.

        With two, as in the paper, most numbers on small lesions would be indistinguishable from chance.
        """
        if digits is None:
            digits = self.digits
        spread = "" if self.std is None else f" ± {self.std:.{digits}f}"
        if self.spanned:
            spread = "" if self.low is None else f" ({self.low:.{digits}f}–{self.high:.{digits}f})"
        return f"{self.mean:.{digits}f}{spread}"

    @property
    def one_decides(self) -> bool:
        """Whether one subject decides the number."""
        return self.n_eff is not None and self.n_eff < DECIDES


def summarise(rows: pd.DataFrame) -> Summary | None:
    """Summary of the rows of one number, one of each seed, ignoring NaN; None if all values are NaN.

    The paper reports "mean and std. dev. on 4 seeds" (Naval Marimont et al. 2024, Table 1) without naming the
    estimator; the sample estimator (n - 1) is used here.
    """
    rows = rows[np.isfinite(rows["value"])]
    if rows.empty:
        return None
    values, lows, highs, effective = (rows[name].to_numpy() for name in ("value", "low", "high", "n_eff"))
    has_interval = bool(np.isfinite(lows).all() and np.isfinite(highs).all())
    return Summary(
        mean=float(values.mean()),
        std=float(values.std(ddof=1)) if len(values) > 1 else None,
        low=float(lows.mean()) if has_interval else None,
        high=float(highs.mean()) if has_interval else None,
        seeds=tuple(map(int, rows["seed"])),
        n_eff=float(effective.mean()) if np.isfinite(effective).all() else None,
    )
