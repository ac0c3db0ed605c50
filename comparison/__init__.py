"""Maps beside maps, for compare.py, sanity.py, hierarchy.py and gaze.py.

Methods with each other, a network with its randomised self, one model on several levels of labels, density maps made
here with official ones: for each its tables and its figures.
May import the pipeline and all below it, neither reporting nor webpage, units or training; only commands import it.
"""
