"""From arrays to figures: sizes and style, the panels of one explained image, pages of many.

Every function returns a figure or a picture; none writes or shows one.
Imports constants, utils, metrics and representations. Every room from the pipeline on may import it.
"""
