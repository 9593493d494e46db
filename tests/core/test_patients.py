"""Patients: what names say, and that a scan is its own patient where they say nothing."""

import pytest

from uadbench.core import patients

SAID = {
    **{"sub-01_ses-2": "sub-01", "sub-A1_run-1": "sub-A1", "sub-OAS30001_ses-d0129": "sub-OAS30001"},
    **{"BraTS-GLI-00005-101": "BraTS-GLI-00005", "BraTS-MEN-RT-0003-1": "BraTS-MEN-RT-0003"},
    **{"OAS1_0001_MR2": "OAS1_0001", "OAS2_0001_MR1": "OAS2_0001", "UCSF-PDGM-0004_FU003d": "UCSF-PDGM-0004"},
    **{"mary_visit-2": "mary", "mary_week-012_b": "mary", "Patient-001_timepoint3": "Patient-001", "a.b_ses01": "a.b"},
    **{"mary-Session_2": "mary"},
}
ALONE = ["sub-01", "sub-CC110033", "sub-r001s001", "IXI012", "BraTS20_Training_001", "BraTS2021_00000", "patient01"]
ALONE += ["case_7", "P0-100", "anna", "s-1", "visit_2", "a_mrs", "x_t1"]


@pytest.mark.parametrize(("name", "patient"), [*SAID.items(), *((name, name) for name in ALONE)])
def test_names_say_the_patient(name, patient):
    assert patients.of_name(name) == patient


def test_only_patients_with_several_scans_count():
    assert patients.several(["a", "b", "c", "d"], {"a": "x", "b": "x", "c": "z"}) == {"a": "x", "b": "x"}
    assert patients.several(["a", "b"], {"a": "b"}) == {"a": "b", "b": "b"}
    assert patients.numbers(["z", "a", "z", "b"]) == [0, 1, 0, 2]


def test_scans_and_patients_in_words():
    assert [patients.counted(12, 12), patients.counted(4, 1)] == ["12", "4 scans of 1 patient"]
    assert patients.counted("24", "6") == "24 scans of 6 patients"


@pytest.mark.parametrize(
    ("names", "asks"),
    [
        ([f"P{patient}-10{visit}" for patient in range(3) for visit in range(2)], True),
        ([f"case_{number}" for number in range(9)], False),
        ([f"sub-r{site:03d}s{number:03d}" for site in range(3) for number in range(3)], False),
        ([f"{patient}-0" for patient in "abcd"], False),
    ],
)
def test_doubtful_names_are_asked_about(names, asks):
    assert bool(patients.hint(names, {}, "say so")) == asks
    assert not patients.hint(names, dict.fromkeys(names, "x"), "say so")
