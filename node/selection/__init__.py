"""Choose the series that the node can measure, and say why every other one was skipped.

In: a :class:`~node.domain.study.ReceivedStudy` and the section ``selection`` of the configuration.
Out: a :class:`~node.domain.study.StudySelection`, or :class:`~node.domain.errors.Declined`.
Geometry and timing decide; text vetoes or breaks a tie. It never loads pixel data and never changes a file.
"""

from node.selection.selector import select_series

__all__ = ["select_series"]
