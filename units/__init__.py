"""Inside the network, for activations.py, feature_visualization.py and network_dissection.py.

Filters, maps of a layer, images that excite a unit most, images made to excite it, and which concept each unit detects.
May import network, data and all below them, never the pipeline; only commands and tools import it.
"""
