"""A harness for unsupervised anomaly detection in brain MRI: data, training, evaluation, paper.

In Python: `load` and `train` give a trained method, which scores scans; `evaluate` compares score maps with labels;
`results` reads the numbers of a study. User errors raise `HarnessError`, one line with a remedy. What a function needs
is imported when it is called.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uadbench.core import extras
from uadbench.core.errors import HarnessError
from uadbench.core.version import VERSION as __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pandas import DataFrame

    from uadbench.own.map_arrays import Arrays
    from uadbench.own.trained_method import TrainedMethod

    StrPath = str | PathLike[str]

__all__ = ["HarnessError", "__version__", "evaluate", "load", "results", "train"]


def __dir__() -> list[str]:
    return __all__


@extras.named("load")
def load(
    run: StrPath | None = None, device: str = "auto", method: str | None = None, required: StrPath | None = None
) -> TrainedMethod:
    """Load a trained method, which scores scans and arrays with the parameters of its study.

    run: folder of a finished run, or hf://OWNER/NAME[@REVISION]; by default the run that comes with the package, for
    T1-weighted scans: `about["notice"]` says what it is not made for. device: auto, cpu, cuda, cuda:1 or mps. method: a
    variant of the run's method, to score as that. required: run of the method that this one builds on, if any.
    Raises HarnessError for a folder that is no finished run of it, damaged weights and a missing device.

    >>> method = uadbench.load("results/demo/training/disyre/t1/seed-1")
    >>> method.score("scan.nii.gz").to_filename("map.nii.gz")
    """
    from uadbench.compute import device as devices
    from uadbench.own.trained_method import TrainedMethod
    from uadbench.sharing import shipped
    from uadbench.sharing.download import locate
    from uadbench.training import run as runs

    chosen = devices.choose(str(device))
    folder, parent = locate(None if run is None else _place("run", run), _path("required", required))
    trained, about = runs.load(folder, chosen, required=parent, name=method)
    return TrainedMethod(trained, about | ({"notice": shipped.notice()} if run is None else {}), chosen)


@extras.named("train")
def train(
    method: str,
    data: StrPath,
    out: StrPath,
    modality: str = "t1",
    seed: int = 1,
    params: Mapping[str, Any] | None = None,
    device: str = "auto",
    required: StrPath | None = None,
) -> TrainedMethod:
    """Train a method as the command `train` does, and load it; a training that was stopped goes on.

    method: file name in `baselines/`, or a variant. data: packed healthy cohort. out: folder of the run. params:
    hyper-parameters, the rest at their defaults. required: run of the method that this one builds on, if any.
    Raises HarnessError for an unknown method or parameter, a value out of range, missing data, a loss that is not
    finite, too little memory, and a folder in which another process trains.

    >>> method = uadbench.train("dae", "results/demo/data/camcan/packed", "results/mine/dae", params={"steps": 200})
    """
    import torch

    from uadbench.compute import device as devices
    from uadbench.core import inputs
    from uadbench.methods.settings import resolve
    from uadbench.own.trained_method import TrainedMethod
    from uadbench.training import job
    from uadbench.training import run as runs

    chosen, parent = devices.choose(str(device)), _path("required", required)
    cohort, folder = Path(_place("data", data)), Path(_place("out", out))
    inputs.keep([("data", cohort), *([("required", parent)] if parent else [])], [("out", folder)])
    if not isinstance(params or {}, Mapping):
        raise HarnessError(f"params: {params!r} is no mapping; give one such as {{'steps': 200}}")
    before = torch.get_deterministic_debug_mode()
    try:
        settings = resolve(method, modality, {method: params or {}})
        job.train_run(settings, seed, cohort, folder, chosen, parent)
    finally:
        torch.set_deterministic_debug_mode(before)  # training sets that of the process
    return TrainedMethod(*runs.load(folder, chosen, required=parent), chosen)


def evaluate(
    maps: StrPath | Arrays,
    labels: StrPath | Arrays,
    brain: StrPath | Arrays | None = None,
    *,
    spacing: float | Sequence[float] | None = None,
    protocol: str = "full",
    healthy: StrPath | Arrays | None = None,
    healthy_brain: StrPath | Arrays | None = None,
    lesion: Sequence[int] = (),
    ignored: Sequence[int] = (),
    patients: StrPath | Mapping[str, str] | Sequence[str] | None = None,
) -> dict[str, Any]:
    """Metrics of score maps, as the command `evaluate` prints them; needs no torch.

    maps: of each subject an array (D, H, W), or (H, W) of one slice, finite and at least 0 in the brain, higher where
    more anomalous; all in a list or a generator, or in a dict by the subjects' names. labels: whole numbers or bool,
    anomalous above 0; brain: masks, everywhere without; both in the same order or with the same keys and shapes. Sizes
    may differ between subjects. Or folders of NIfTI files of the same names, in which brain masks that lie with the
    maps are taken without being named; or maps and labels in BIDS, as the command takes them.
    spacing: mm, of the voxels of arrays, a number or along D, H and W; without it `detection` is left out.
    protocol: full, upd or official. healthy: maps of healthy subjects, which set thresholds; healthy_brain: masks.
    lesion, ignored: values of labels that are lesion (default: all above 0), and of voxels that do not count.
    patients: who has several maps and counts as one in intervals: by name, or in their order; or as the command takes
    it.
    Returns ap, dice, auroc with `…_interval` and `…_n_eff`, the number of patients that effectively decide them, None
    for all where binning hides the numbers, `ap_bounds`, `dice_bounds`, threshold, chance_ap, numbers of subjects,
    patients, voxels and positives, and the metrics of subjects, slices and lesions under `detection`.
    Raises HarnessError naming the item or file that cannot be used, and if no label is anomalous.

    >>> uadbench.evaluate([map], [label], [brain], spacing=1.0)["ap"]
    """
    from uadbench.data.label_values import LabelValues
    from uadbench.own import external_maps

    lists = (() if v is None else tuple(v) if isinstance(v, Iterable) else (v,) for v in (lesion, ignored))
    values = LabelValues(*lists)
    people: Any = os.fspath(patients) if isinstance(patients, PathLike) else patients
    for name, what in (("maps", maps), ("labels", labels)):
        if what is None:
            raise HarnessError(f"{name}: not given; give arrays, or a folder of NIfTI files")
    if isinstance(maps, (str, PathLike)):
        if spacing is not None:
            raise HarnessError("spacing: headers of NIfTI files state it; leave it out")
        others = {"labels": labels, "brain": brain, "healthy": healthy, "healthy_brain": healthy_brain}
        for name, other in others.items():
            if other is not None and not isinstance(other, (str, PathLike)):
                raise HarnessError(f"{name}: no folder, but maps is one; give its folder, or arrays of everything")
        where: Any = {name: _path(name, other) for name, other in others.items()}
        return external_maps.evaluate(Path(maps), **where, protocol=protocol, values=values, patients=people).summary()
    given: Any = (maps, labels, brain, protocol, healthy, healthy_brain, values, people)
    result = external_maps.evaluate_arrays(spacing, *given).summary()
    if spacing is None:
        del result["detection"]
    return result


def results(study: StrPath) -> DataFrame:
    """Every number of a finished study, a row for each method, seed, task, score, protocol and metric.

    study: its folder, the folder `evaluation` in it, or a file results.csv, also of `uadbench join`.
    Columns as in results.csv: value with the bounds low and high of its 95 % interval (float, NaN without), counts and
    seed (int), trained_on_simulated and tested_on_simulated (bool), the rest text.
    Raises HarnessError where there is no such file, or one of other content.

    >>> uadbench.results("results/demo").query("metric == 'ap' and score == 'final'")
    """
    from uadbench.paper.results import located, read_table

    return read_table(located(Path(_place("study", study))))


def _place(name: str, given: Any) -> str:
    """A path as text. Raises HarnessError for what is none."""
    if isinstance(given, (str, PathLike)) and isinstance(text := os.fspath(given), str):
        return text
    raise HarnessError(f"{name}: {given!r} is no path; give a str or a Path")


def _path(name: str, given: Any) -> Path | None:
    return None if given is None else Path(_place(name, given))
