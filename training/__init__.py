"""How a classifier is trained, for train.py and attention_mil.py: augmentation, stages, the loop, what it leaves.

May import network, explainers and all below them, and of the pipeline command_line, flags, settings and samples; only
commands and tools import it.
"""
