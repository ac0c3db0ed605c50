"""One run over a folder of images: flags, each image explained and scored, records, resume, summary, figures.

`main.py` calls it step by step. It may import every room of what it is made of: data, network, explainers, metrics,
plots, output, scenes. Comparison, reporting, webpage and the commands may import it; training its flags, units
nothing.
"""
