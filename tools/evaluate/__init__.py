"""Agreement between any two of model, reader and gold, laid out like the tables of a paper.

In: cases (volumes with their truth) or folders of ``measurements.json``. Out: ``metrics.json`` and one self-contained
``report.html``. Every number of a model comes through :func:`node.pipeline.examine`, the code that the node runs.
"""
