"""The report that report.py and `main.py --report` write: what runs found, to be handed in.

runs            the records of one run or several, with the files behind them
blocks          what it is made of: sections of text, tables and pictures
content         what the report says
methods_text    what was done, in words; references the papers that it cites
cells           numbers in tables
report_figures  its pictures
render          the sections as an HTML page or a LaTeX document
document        the files

Imports pipeline and what that stands on; is imported by report.py and main.py alone.
"""
