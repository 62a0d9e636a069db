"""A DICOM-native inference node for cervical MR.

The node receives a study, selects the series it can use, loads them as volumes, infers masks and keypoints,
measures the cord and canal, reports SEG and SR, and delivers them to the PACS.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("cspine-node")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0+uninstalled"
