"""Open data sets of a config: what of them is missing, and the command that fetches it."""

import shlex
from pathlib import Path

from uadbench.core.errors import HarnessError
from uadbench.data.download import orders, selection, tables
from uadbench.data.download.orders import Order
from uadbench.study.config import DataSet
from uadbench.study.experiment import Experiment


def check(study: Experiment) -> None:
    """Raise HarnessError for wrong keys of a source, and where files of one that is not to be fetched are missing."""
    parts, bytes, commands = list[str](), 0, dict[tuple[str, ...], list[str]]()
    for name, entry in study.datasets.items():
        _check_keys(study, name, entry)
        if entry.source is None or entry.fetch or "$" in str(entry.root):
            continue
        modalities = {"t1", *study.modalities_of(name)} & {*selection.counts(tables.load(entry.source).files)}
        order = Order.of(entry.source, Path(str(entry.root)).parent, entry.subjects, modalities)
        missing = order.absent()
        _, *options = study.fetch_options(name)
        names = commands.setdefault(tuple(options), []) if missing else []
        if missing and order.data.name not in names:
            names.append(order.data.name)
            parts.append(f"{len(missing)} of {len(order.files)} files of {order.data.name}")
            whole = Order.of(entry.source, order.folder.parent, entry.subjects)
            bytes += whole.to_come(whole.absent())
    if parts:
        said = " && ".join(shlex.join(["uadbench", "download", *names, *rest]) for rest, names in commands.items())
        size = orders.amount(bytes)
        raise HarnessError(f"datasets: {', '.join(parts)} are missing; fetch them ({size}): {said}")


def _check_keys(study: Experiment, name: str, entry: DataSet) -> None:
    where = f"datasets.{name}"
    if entry.source is None:
        for key in ("subjects", "fetch"):
            if getattr(entry, key):
                raise HarnessError(f"{where}.{key}: is of a source; add source, a name that `uadbench download` lists")
        return
    if name in study.simulated:
        raise HarnessError(f"{where}.source: the data set is simulated; remove source, or simulate.subjects.{name}")
    try:
        data = tables.load(entry.source)
    except HarnessError as error:
        raise HarnessError(f"{where}.source: {error}") from None
    if Path(str(entry.root)).name != data.name:
        raise HarnessError(f"{where}.root: {entry.root}: `download` makes a folder {data.name}; end the path with it")
