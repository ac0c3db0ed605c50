"""From arrays to figures: sizes and style, the panels of one explained image, pages of many.

Functions return a figure or a picture and leave it to others to write it; `animation.py` alone writes, films.
Imports constants, utils, output, metrics and representations. Every room from the pipeline on may import it.
"""
