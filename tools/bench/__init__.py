"""What this project costs, beside what was aimed at and beside its peers; `python -m tools.bench` measures and says it.

methods.py      explanations and metrics as multiples of the network's forward pass; peers.py: those of others
judging.py      metrics of a map, tables of a run           drawn_pages.py    pages of figures
whole_runs.py   main.py over 150 to 6,000 images            many_records.py   the tables of very many images
clocks.py       how time and memory are taken               rows.py           how they are shown

May import everything; nothing imports it but its tests.
"""
