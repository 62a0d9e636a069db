"""Training of the networks on synthetic necks and real volumes; needs torch."""
