"""labelme 5 annotations in and out: a radiologist corrects the node's results instead of drawing them.

Export writes for each slice ``NAME.png``, ``NAME.json`` (labelme) and ``NAME.geometry.json`` (where it lies in the patient).
Corrected files are checked, read as masks and corners, measured, and trained on.
"""

from tools.labelme.annotation import Annotation
from tools.labelme.reading import AnnotationError, annotation_paths, read_annotation

__all__ = ["Annotation", "AnnotationError", "annotation_paths", "read_annotation"]
