"""Licences of training data, and the conditions that they set for passing on weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from uadbench.core.errors import HarnessError
from uadbench.data.index.release import Release, find, releases

#: identifiers of the hub for the open licences of uadbench/resources/datasets.csv
HUB = {"CC0": "cc0-1.0", "CC BY 4.0": "cc-by-4.0", "CC BY-SA 3.0": "cc-by-sa-3.0"}
SOFTWARE = "apache-2.0"  # the licence of this software
FREE = ("cc0-1.0",)  # data without conditions


@dataclass(frozen=True)
class Origin:
    """The training data of a run, as far as they decide on its licence.

    name: of the data set in the config; release: None for simulated data and for data of one's own.
    """

    name: str
    simulated: bool
    release: Release | None

    @classmethod
    def of(cls, about: dict[str, Any], release: str | None = None) -> Origin:
        """The origin of a run from its `run.json`.

        release: a name in datasets.csv; by default the name of the data set, if it is one.
        Raises HarnessError for an unknown release.
        """
        name, simulated = str(about.get("dataset", "unknown")), bool(about.get("simulated", False))
        known = find(release) if release else releases().get(name)
        return cls(name, simulated, None if simulated else known)

    @property
    def restricted(self) -> bool:
        """Whether an agreement, or an unknown licence, may forbid passing on weights."""
        return not self.simulated and (self.release is None or self.release.licence not in HUB)

    @property
    def licence(self) -> str:
        """Licence of the data in words."""
        if self.simulated:
            return "none, simulated scans"
        return self.release.licence if self.release else "unknown"

    @property
    def identifier(self) -> str:
        """Licence of the weights as an identifier of the hub: that of the data where it has conditions."""
        if self.restricted:
            return "other"
        data = SOFTWARE if self.simulated or self.release is None else HUB[self.release.licence]
        return SOFTWARE if data in FREE else data

    @property
    def title(self) -> str:
        """Name of the data for readers."""
        return f"{self.release.title}, {self.release.version}" if self.release else self.name

    @property
    def condition(self) -> str:
        """Reason why the data may restrict weights; only where `restricted`."""
        if self.release is None:
            return f"data set {self.name!r} is no release of uadbench/resources/datasets.csv, its licence is unknown"
        return f"{self.release.title}: {self.release.licence}, {self.release.access} ({self.release.source})"


def permitted(origins: list[Origin], may_share: bool) -> list[str]:
    """Warnings for the training data of a run and of the run that it requires; an empty list for open data.

    Raises HarnessError where an agreement may forbid passing on weights and `may_share` does not confirm the right.
    """
    conditions = list(dict.fromkeys(origin.condition for origin in origins if origin.restricted))
    if conditions and not may_share:
        remedy = "name its --release, or give" if any(origin.release is None for origin in origins) else "give"
        raise HarnessError(
            f"training data: {'; '.join(conditions)}; read whether you may pass on weights trained on it, then "
            f"{remedy} --i-may-share"
        )
    return [f"training data: {text}; you state that you may pass on weights trained on it" for text in conditions]


def strictest(origins: list[Origin]) -> Origin:
    """The origin whose licence binds the weights of all: a restricted one, then one with conditions."""
    return max(origins, key=lambda o: (o.restricted, "-sa-" in o.identifier, o.identifier != SOFTWARE))
