"""Source slices to model input and back."""

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]

# Signals above this share of the reference are equally bright.
_BRIGHTEST = 1.5


def normalise(pixels: Pixels, reference: float) -> Pixels:
    """Return the square root of the signal in units of ``reference``: dark bone and bright CSF in one range, 0 to 1.2."""
    return np.asarray(np.sqrt(np.clip(pixels / reference, 0.0, _BRIGHTEST)), dtype=np.float32)
