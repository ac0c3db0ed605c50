"""How a classifier is trained, for train.py and attention_mil.py: augmentation, stages, the loop, what it leaves.

May import the pipeline (its flags and settings) and all below it, neither comparison, reporting, webpage nor units;
only commands and tools import it.
"""
