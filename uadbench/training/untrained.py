"""Run of a method that has nothing to train: a record without weights and losses. Imports no torch."""

from pathlib import Path

from uadbench.core import csv_files, folder_lock
from uadbench.core.files import atomic, write_json
from uadbench.core.study_folder import HISTORY, RUN, WEIGHTS
from uadbench.data.packing.store import Store
from uadbench.methods.settings import Settings
from uadbench.training import facts
from uadbench.training.histories import ROW


def write_run(settings: Settings, seed: int, data: Path, out: Path) -> None:
    """Write the run that `training.job.train_run` would, for a method of which `Description.trains` is False.

    Raises HarnessError for missing data, a scan twice or a lesion in the cohort, or a folder that another process uses.
    """
    with folder_lock.held(out):
        store = Store.open(data)
        about = facts.of_method(settings, store.spacing, seed) | facts.of_cohort(store, settings.modality)
        environment = facts.write_environment(out)
        csv_files.write(out / HISTORY, ROW, [])
        with atomic(out / WEIGHTS) as partial:
            partial.mkdir()
        about |= {"seconds": 0.0, "device": facts.UNUSED, "precision": facts.UNUSED, "final": None, "weights": {}}
        write_json(out / RUN, about | facts.of_end(settings, store, environment))
