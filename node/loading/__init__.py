"""Load a selected series as a volume: slices in spatial order, with their geometry and their sources.

In: a :class:`~node.domain.study.SelectedSeries`.
Out: a :class:`~node.domain.image.Volume`; or ``Declined`` where the stack is not one regular volume, or ``PermanentError`` where
a file is damaged. It never resamples, interpolates or fills in a slice.
"""

from node.loading.volume import load_volume

__all__ = ["load_volume"]
