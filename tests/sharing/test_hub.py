"""A run shared through a stand-in of the hub gives the maps of its folder; whatever goes wrong is one clear line."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from tests.commands import call, fails
from tests.sharing.conftest import of
from tests.sharing.hub import TOKEN
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json
from uadbench.methods import registry
from uadbench.sharing import contents, download
from uadbench.sharing.upload import upload
from uadbench.training import record


def score(run: object, scan: Path, out: Path, *more: object) -> bytes:
    call("score", "--run", run, "--image", scan, "--out", out, "--device", "cpu", *more)
    return out.read_bytes()


@pytest.fixture(scope="module")
def sent() -> dict[str, Any]:
    """What the first upload left on the hub."""
    return {}


@pytest.fixture
def shared(hub, run, sent) -> str:
    """The address of a shared run."""
    if not sent:
        call("share", run, "--repo", "lab/vae")
        sent |= copy.deepcopy({"repos": hub.repos, "objects": hub.objects})
    hub.repos, hub.objects = copy.deepcopy((sent["repos"], sent["objects"]))
    return "hf://lab/vae"


@pytest.mark.parametrize("method", ["vae", "r_vae", "ddpm"])
def test_a_shared_run_gives_the_maps_of_its_folder(hub, study, scan, tmp_path, method):
    folder = of(study, method)
    printed = call("share", folder, "--repo", "lab/run", "--private").output
    assert "score --run hf://lab/run" in printed
    assert hub.repos["lab/run"].private
    more = ["--required", of(study, "vae")] if method == "r_vae" else []
    expected = score(folder, scan, tmp_path / "folder.nii.gz", *more)
    assert score("hf://lab/run", scan, tmp_path / "hub.nii.gz") == expected
    # Offline, from the cache alone.
    hub.stop()
    assert score("hf://lab/run", scan, tmp_path / "again.nii.gz") == expected


def test_upload_and_download_in_processes_of_their_own(hub, study, tmp_path, root):
    """As users run them, with settings in the environment alone, which the library of the hub reads at its import."""
    folder = of(study, "vae")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}

    def process(*words: object, **more: str) -> str:
        command = [sys.executable, *map(str, words)]
        done = subprocess.run(command, cwd=root, env=environment | more, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    process("-m", "uadbench", "share", folder, "--repo", "lab/vae", HF_TOKEN=TOKEN)
    code = "from uadbench.sharing.download import locate; print(locate('hf://lab/vae')[0])"
    found = Path(process("-c", code).strip())
    assert found.is_relative_to(tmp_path / "home")
    weights = sorted((folder / "weights").iterdir())
    assert weights
    assert [(found / "weights" / path.name).read_bytes() for path in weights] == [p.read_bytes() for p in weights]


def test_a_branch_and_a_commit_are_addresses(hub, run, scan, tmp_path, study):
    for _ in range(2):  # the second time the branch exists
        call("share", run, "--repo", "lab/vae", "--revision", "draft")
    held = hub.repos["lab/vae"]
    assert "run.json" not in held.files("main")[1]
    expected = score(run, scan, tmp_path / "folder.nii.gz")
    for revision in ("draft", held.branches["draft"]):
        assert score(f"hf://lab/vae@{revision}", scan, tmp_path / "hub.nii.gz") == expected
    given = ["--image", scan, "--out", tmp_path / "no.nii.gz"]
    assert "not a run of uadbench (no run.json)" in fails("score", "--run", "hf://lab/vae", *given)


def test_only_files_that_scoring_needs_are_downloaded(hub, shared):
    hub.put("lab/vae", "weights/pickle.bin", b"\x80\x04")
    hub.put("lab/vae", "weights/extra.safetensors", b"0" * 100)
    hub.put("lab/vae", "setup.py", b"raise SystemExit")
    hub.asked.clear()
    folder = download.locate(shared)[0]
    recorded = {f"weights/{name}" for name in read_json(folder / "run.json")["weights"]}
    assert hub.downloads() == {"run.json"} | recorded
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == hub.downloads()


def test_sharing_again_replaces_what_was_there(hub, study, run):
    call("share", of(study, "r_vae"), "--repo", "lab/run")
    assert any(path.startswith("required/") for path in hub.repos["lab/run"].files("main")[1])
    call("share", run, "--repo", "lab/run")
    held = hub.repos["lab/run"].files("main")[1]
    assert not any(path.startswith("required/") for path in held)
    assert json.loads(held["run.json"][0])["method"] == "vae"


def test_test_accepts_a_shared_run(shared, cohort, tmp_path):
    given = ["--data", cohort, "--task", "A", "--modality", "t1", "--device", "cpu", "--examples", 1]
    call("test", "--run", shared, *given, "--out", tmp_path / "hub")
    assert (tmp_path / "hub" / "full.npz").is_file()


# Addresses and access


def locating(address: str) -> str:
    with pytest.raises(HarnessError) as error:
        download.locate(address)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_address_that_is_none():
    for text in ("hf://lab", "hf://lab/run/more", "hf://lab/../run", "hf:lab/run", "hf://lab/run@"):
        assert "write hf://OWNER/NAME" in locating(text), text
    assert download.Address.parse("hf://lab/run@v1.0/a") == download.Address("lab/run", "v1.0/a")
    assert download.Address.parse(str(Path("hf://lab/run"))) == download.Address("lab/run")


def test_a_repository_that_is_missing_or_private(hub, shared, monkeypatch):
    assert "hf://lab/other: no such repository, or a private one" in locating("hf://lab/other")
    assert "no such branch, tag or commit" in locating("hf://lab/vae@v9")
    hub.repos["lab/vae"].private = True
    monkeypatch.delenv("HF_TOKEN")
    assert "log in with `hf auth login` or HF_TOKEN" in locating(shared)


def test_without_a_network_and_without_a_copy(hub, shared, monkeypatch):
    hub.status = 503
    assert "the hub cannot be reached, and the cache has no copy of this run" in locating(shared)
    hub.status = None
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "the hub cannot be reached, and the cache has no copy of this run" in locating(shared)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    folder = download.locate(shared)[0]
    hub.status = 503
    assert download.locate(shared)[0] == folder


def test_a_copy_that_is_not_whole(hub, shared):
    folder = download.locate(shared)[0]
    hub.status = 503
    next((folder / "weights").glob("*.safetensors")).unlink()
    assert "connect" in locating(shared)


# Repositories that are not what they say


def changed(hub, **values) -> None:
    about = json.loads(hub.repos["lab/vae"].files("main")[1]["run.json"][0])
    hub.put("lab/vae", "run.json", json.dumps(about | values).encode())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "run.json is no JSON"),
        (b"[1]", "run.json: must be a valid dictionary"),
        (b'{"method": "vae"}', "run.json: title: is missing"),
        (b"[" * 200_000, "run.json is no JSON"),
        (b" " * (record.LIMIT + 1), "run.json has more than"),
    ],
)
def test_a_repository_that_is_no_run(hub, shared, content, reason):
    hub.put("lab/vae", "run.json", content)
    assert f"hf://lab/vae: {reason}" in locating(shared)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"weights": None}, "run.json: weights: must be a valid dictionary, not None"),
        (
            {"weights": {"gone.safetensors": "0" * 64}},
            "weights/gone.safetensors is missing; ask for the run",
        ),
        ({"method": "etc"}, "of the method 'etc', which is unknown here (uadbench 9.1 made"),
        ({"method": "../../etc/passwd"}, "run.json: method: must match pattern"),
        ({"modality": "pd"}, "run.json: modality: 'pd' is unknown here, a newer uadbench may know it"),
    ],
)
def test_a_record_of_what_is_not_there(hub, shared, values, reason):
    changed(hub, **values, harness="9.1")
    assert reason in locating(shared)


def test_a_method_of_another_revision(hub, shared):
    here = registry.describe("vae").revision
    changed(hub, revision=here + 1)
    said = locating(shared)
    assert f"trained with revision {here + 1} of vae, here is revision {here}" in said
    assert not any("weights" in path for path in hub.downloads())


ELSEWHERE = ("../evil.safetensors", "/etc/evil.safetensors", "a/b/c.safetensors", "x.bin", "*.safetensors", ".a", "")


@pytest.mark.parametrize("name", ELSEWHERE)
def test_names_of_weights_that_lead_elsewhere(hub, shared, name):
    changed(hub, weights={name: "0" * 64})
    assert "weights that no run has, do not use it" in locating(shared)
    assert hub.downloads() == {"run.json"}


def test_weights_that_differ_from_their_checksum(hub, shared, run):
    name = next(name for name in read_json(run / "run.json")["weights"])
    hub.put("lab/vae", f"weights/{name}", b"other weights")
    assert f"weights/{name} is damaged, its checksum" in locating(shared)


def test_weights_that_are_huge_are_not_downloaded(hub, shared, run):
    for name in read_json(run / "run.json")["weights"]:
        hub.sizes[f"weights/{name}"] = contents.WEIGHTS_LIMIT
        break
    hub.sizes["run.json"] = 2000
    changed(hub, weights=read_json(run / "run.json")["weights"] | {"more.safetensors": "0" * 64})
    hub.put("lab/vae", "more.safetensors", b"")
    hub.sizes[f"weights/{name}"] += 1
    assert "weights of more than 8 GiB; not downloaded" in locating(shared)
    assert hub.downloads() == {"run.json"}


def test_a_huge_record_is_not_downloaded(hub, shared):
    hub.sizes["run.json"] = record.LIMIT + 1
    assert "run.json has more than" in locating(shared)
    assert not hub.downloads()


def test_a_run_without_the_run_that_it_builds_on(hub, study):
    call("share", of(study, "r_vae"), "--repo", "lab/run")
    held = hub.repos["lab/run"]
    files = {path: file for path, file in held.files("main")[1].items() if not path.startswith("required/")}
    held.commit("main", files)
    assert "builds on a run of vae, which is not in it" in locating("hf://lab/run")


# Uploads


def test_sharing_without_a_token(hub, run, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    assert "lab/vae: no token of the hub; log in with `hf auth login`" in fails("share", run, "--repo", "lab/vae")


def test_sharing_with_a_token_that_is_refused(hub, run, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    assert "log in with `hf auth login`" in fails("share", run, "--repo", "lab/vae")


def test_sharing_without_a_network(hub, run, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE forbids the network" in fails("share", run, "--repo", "lab/vae")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub.stop()
    assert "lab/vae: the hub cannot be reached" in fails("share", run, "--repo", "lab/vae")


def test_a_repository_of_other_files_is_left_alone(hub, run):
    call("share", run, "--repo", "lab/vae")
    held = hub.repos["lab/vae"]
    held.commit("main", {"model.bin": (b"1", False)})
    assert "lab/vae: holds files that are no run of uadbench" in fails("share", run, "--repo", "lab/vae")
    assert set(held.files("main")[1]) == {"model.bin"}


def test_private_weights_do_not_go_to_a_public_repository(hub, run):
    call("share", run, "--repo", "lab/vae")
    before = dict(hub.repos["lab/vae"].branches)
    assert "exists and is public" in fails("share", run, "--repo", "lab/vae", "--private")
    assert hub.repos["lab/vae"].branches == before


def test_metadata_that_the_hub_refuses(hub, run, tmp_path):
    call("share", run, "--out", tmp_path / "packed")
    (tmp_path / "packed" / "README.md").write_text("---\nlicense: [1]\n---\n")
    with pytest.raises(HarnessError, match=r"lab/vae: Invalid metadata in README\.md"):
        upload(tmp_path / "packed", "lab/vae")


def test_names_of_repositories(run):
    for name in ("vae", "a/b/c", "https://host/a/b"):
        assert "give the name of a repository" in fails("share", run, "--repo", name)


def test_either_a_repository_or_a_folder(run, tmp_path):
    assert "give either --repo OWNER/NAME or --out DIR" in fails("share", run)
    assert "are for --repo" in fails("share", run, "--out", tmp_path / "x", "--private")


def test_a_shared_folder_needs_no_hub(study, scan, tmp_path):
    folder = of(study, "r_vae")
    call("share", folder, "--out", tmp_path / "packed")
    expected = score(folder, scan, tmp_path / "a.nii.gz", "--required", of(study, "vae"))
    moved = tmp_path / "elsewhere"
    shutil.move(tmp_path / "packed", moved)
    assert score(moved, scan, tmp_path / "b.nii.gz") == expected
    given = ["--run", folder, "--image", scan, "--out", tmp_path / "c.nii.gz", "--device", "cpu"]
    assert "builds on a run of vae; name it with --required" in fails("score", *given)
    assert "r_vae needs one of vae: pass it with --required" in fails("score", *given, "--required", of(study, "ddpm"))
