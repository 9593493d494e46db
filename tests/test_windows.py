"""Commands where the system lacks what Windows lacks; none has run on Windows itself."""

import shutil
from dataclasses import asdict

from tests.commands import ends
from tests.data.conftest import FAST
from uadbench.core.files import read_json, write_json

# Neither locks nor limits, and a file is synced only through a handle that may write.
WINDOWS = """
import errno, os, sys
from fcntl import F_GETFL, fcntl
import ants, pandas, torch, tqdm
def fsync(handle, sync=os.fsync):
    if fcntl(handle, F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(errno.EBADF, "Bad file descriptor")
    sync(handle)
os.fsync, sys.modules["fcntl"], sys.modules["resource"] = fsync, None, None
del os.O_CLOEXEC, os.getuid, os.posix_fallocate
"""
SCAN = "raw/ATLAS_2/Training/R001/sub-r001s001/ses-1/anat/sub-r001s001_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz"
LINES = [
    "simulate atlas --subjects 1 --spacing 4 --out raw",
    "train --method random --modality t1 --seed 1 --data packed --out run",
    f"score --run run --image {SCAN} --out maps/a.nii.gz --threshold 0.5",
    "evaluate --maps maps --labels maps/masks --out metrics.json",
    "conformance random",
    "bench --method random --spacing 8 --steps 1 --slices 1",
]


def test_commands_start_without_what_windows_lacks(tiny_cohort, tmp_path):
    shutil.copytree(tiny_cohort, tmp_path / "packed")
    write_json(tmp_path / "packed/index.json", read_json(tiny_cohort / "index.json") | {"preprocessing": asdict(FAST)})
    assert ends(tmp_path, (), LINES, WINDOWS) == dict.fromkeys(LINES, "")
    assert read_json(tmp_path / "metrics.json")["ap"] > 0.99
