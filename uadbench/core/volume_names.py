"""Names of files of volumes: NIfTI, with the suffix in small or capital letters."""

import re

#: regular expression of the suffix
NIFTI = r"(?i:\.nii(?:\.gz)?)"


def stem(name: str) -> str | None:
    """The name without .nii or .nii.gz; None for a file of another kind."""
    found = re.fullmatch(rf"(.+?){NIFTI}", name, re.DOTALL)
    return found[1] if found else None
