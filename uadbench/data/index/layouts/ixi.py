"""IXI: healthy adults from three London hospitals, T1- and T2-weighted scans, whole head, no agreement needed."""

from uadbench.data.index import layout


class Layout(layout.Layout):
    """`IXI###-HOSPITAL-####-T1.nii.gz` and `…-T2.nii.gz`, as in the archives IXI-T1.tar and IXI-T2.tar.

    The archives contain no folders; files may be in any folder below the root. Some subjects lack one of the two scans.
    """

    expected = "IXI*-{Guys,HH,IOP}-*-T1.nii.gz and -T2.nii.gz"
    names = {"t1": r"(IXI\d+)-[A-Za-z]+-\d+-T1", "t2": r"(IXI\d+)-[A-Za-z]+-\d+-T2"}
