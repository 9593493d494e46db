"""The choice of files: always the same subjects, whole; a modality with what it needs."""

import pytest

from uadbench.core.errors import HarnessError
from uadbench.data.download import selection, tables
from uadbench.data.download.selection import chosen, select, subject


@pytest.mark.parametrize(("name", "number", "masked"), [("ds001226", 9, 6), ("ds004199", 30, 15), ("ds004884", 30, 30)])
def test_some_subjects_have_masks_in_the_proportion_of_all(name, number, masked):
    data = tables.load(name)
    some = chosen(data, number)
    assert len(some) == number
    assert len(some & {subject(file) for file in data.files if selection.is_mask(file)}) == masked
    assert chosen(data, number - 5) < some < chosen(data, number + 5)
    assert chosen(data, 10_000) == set(selection.subjects(data.files))


def test_the_choice_is_the_same_everywhere():
    assert sorted(chosen(tables.load("ds001226"), 3)) == ["sub-CON06", "sub-PAT02", "sub-PAT07"]
    assert selection.parse("btc:3") == chosen(tables.load("ds001226"), 3)
    for text in ("btc", "btc:", "btc:0", "btc:x"):
        with pytest.raises(HarnessError, match=f"{text}: is not like ds004884:30"):
            selection.parse(text)


def test_a_subject_comes_whole_with_the_files_of_all():
    data = tables.load("ds004884")
    some, every = select(data, 30), {file.path for file in data.files}
    names = chosen(data, 30)
    assert {file.path for file in some} == {path for path in every if "sub-" not in path} | {
        path for path in every if any(f"{name}/" in path for name in names)
    }
    assert {"participants.tsv", "dataset_description.json"} <= {file.path for file in some}


def test_a_modality_comes_with_masks_and_what_they_are_drawn_on():
    arc = tables.load("ds004884")
    files = select(arc, modalities=["t1"])
    numbers = selection.counts(files)
    assert numbers == {"t1": 229, "t2": 228, "masks": 228}
    masks = {file.name for file in files if selection.is_mask(file)}
    drawn = {file.name for file in files if selection.modality(file) == "t2" and file.name.endswith(".nii.gz")}
    assert {name.replace("_desc-lesion_mask", "") for name in masks} == drawn
    assert sum(file.name.endswith("_T2w.json") for file in files) == 228
    bonn = select(tables.load("ds004199"), modalities=["t1"])
    assert selection.counts(bonn) == {"t1": 170, "flair": 85, "masks": 85}  # one mask names another acquisition
    soop = select(tables.load("ds004889"), modalities=["t1"])
    assert sum("TRACE_dwi" in file.name for file in soop) == 1715
    assert not any("FLAIR" in file.name for file in soop)


def test_a_flair_named_as_a_t2_is_one():
    dallas = tables.load("ds004856")
    assert selection.counts(select(dallas, modalities=["flair"])) == {"flair": 464}
    with pytest.raises(HarnessError, match="--modality t2: ds004856 has none; it has t1, flair"):
        select(dallas, modalities=["t2"])
