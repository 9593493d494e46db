"""Source of a file of scores: digests of the weights, data, code and settings that it was computed from.

The header of histograms and findings has it as `source`; results.csv its digest, and that of the code alone.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uadbench.core import provenance
from uadbench.core.files import sha256
from uadbench.core.study_folder import INDEX
from uadbench.core.version import VERSION

DIGITS = 12  # hexadecimal, of the SHA-256
#: columns of results.csv; rows of earlier versions, and those of other people's maps, have empty cells
SOURCE, CODE = "source", "code"


def of(
    run: Mapping[str, Any],
    params: Mapping[str, Any],
    baseline: Path,
    test: Path,
    healthy: Path | None,
    required: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The source of the scores of a run on a test set, as JSON values.

    run: its record, `run.json`; params: as scored; baseline: the file of the method; test, healthy: folders of the
    packed test set and of the cohort that sets thresholds; required: the record of the run that this one builds on.
    """
    return {
        "weights": dict(run["weights"]),
        "required": {} if required is None else dict(required["weights"]),
        "trained_on": run.get("data", ""),
        "test_set": sha256(test / INDEX),
        "healthy": "" if healthy is None else sha256(healthy / INDEX),
        "params": dict(params),
        "baseline": {"trained": run.get("code", ""), "scored": sha256(baseline)},
        "uadbench": {"version": VERSION, **provenance.commit()},
    }


def columns(meta: Mapping[str, Any]) -> dict[str, str]:
    """The columns SOURCE and CODE of a row of results.csv from the header of its file; empty cells where it has none.

    CODE tells the seeds of a method apart whose baseline's file was edited between them.
    """
    source = meta.get(SOURCE) or {}
    return {SOURCE: digest(source), CODE: digest(source.get("baseline", {}))}


def digest(content: Mapping[str, Any]) -> str:
    """Digest of JSON values; "" of nothing."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS] if content else ""
