"""Volumes come in; probability maps and landmarks on the source grid go out, with the identity of the weights that said so.

This stage never measures, never decides what is plausible, and knows nothing of DICOM or of how a network was trained.
"""

from node.inference.keypoint_detector import KeypointDetector
from node.inference.library import ModelLibrary, list_manifests, load_library, verify_manifest
from node.inference.manifest import ModelManifest, load_manifest
from node.inference.preprocess import normalise
from node.inference.segmenter import Segmenter
from node.inference.session import choose_providers

__all__ = [
    "KeypointDetector",
    "ModelLibrary",
    "ModelManifest",
    "Segmenter",
    "choose_providers",
    "list_manifests",
    "load_library",
    "load_manifest",
    "normalise",
    "verify_manifest",
]
