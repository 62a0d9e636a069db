"""A bounded load on a node of its own: phantom studies at a rate, with faults; what took how long, and what grew."""
