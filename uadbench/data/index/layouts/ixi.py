"""IXI: healthy adults from three London hospitals, T1- and T2-weighted scans, whole head, no agreement needed."""

from __future__ import annotations

from pathlib import Path

from uadbench.data.index import layout


class Layout(layout.Layout):
    """`IXI###-HOSPITAL-####-T1.nii.gz` and `…-T2.nii.gz`, as in the archives IXI-T1.tar and IXI-T2.tar.

    The archives contain no folders; files may be in any folder below the root. Some subjects lack one of the two scans.
    """

    expected = "IXI*-{Guys,HH,IOP}-*-T1.nii.gz and -T2.nii.gz"

    def subjects(self, root: Path) -> list[layout.Files]:
        name = r"(IXI\d+)-[A-Za-z]+-\d+"
        return layout.group(root, {"t1": name + r"-T1\.nii(?:\.gz)?", "t2": name + r"-T2\.nii(?:\.gz)?"})
