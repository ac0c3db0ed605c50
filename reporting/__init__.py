"""A run, or several, as a report: what it says, its figures, and its form as HTML and LaTeX.

May import the pipeline and all below it, neither comparison nor webpage, units or training; only report.py and main.py
import it.
"""
