"""A DICOM-native inference node for cervical MR.

The node receives a study, selects the series it can use, loads them as volumes, infers masks and keypoints,
measures the cord and canal, reports SEG and SR, and delivers them to the PACS.
"""


def __getattr__(name: str) -> str:
    """Return ``__version__``, looked up when it is asked for: that takes longer than all else that ``--help`` needs."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("cspine-node")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0.0.0+uninstalled"
