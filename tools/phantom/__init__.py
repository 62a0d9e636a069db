"""A synthetic cervical spine of known shape, its MR slices, and the same as DICOM series."""
