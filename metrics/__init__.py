"""From a map to numbers: likeness to gaze, faithfulness, localisation, agreement of maps, tests of differences.

Metrics know arrays and one callable, `predict`: neither TensorFlow nor an explainer. `catalogue.py` lists those that
a record can hold; `evaluate.py` in the root offers them all.
Imports constants and utils. Every room from the explainers on may import it.
"""
