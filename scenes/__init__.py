"""The embedded data: a small renderer that draws monuments in three styles, with masks of the parts that tell them.

demo.py writes the data set; a run without flags draws what it needs.
Imports constants, utils, output and data. The pipeline, training, units, the rooms above them and the commands may
import it.
"""
