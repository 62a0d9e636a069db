"""How fast the node is beside its peers: competitors alternate on one machine, their ratios are what counts."""
