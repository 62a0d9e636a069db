"""Volumes come in; probability maps and landmarks on the source grid go out, with the identity of the weights that said so.

This stage never measures, never decides what is plausible, and knows nothing of DICOM or of how a network was trained.
"""

from node.inference.preprocess import normalise

__all__ = ["normalise"]
