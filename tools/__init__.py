"""What developers run as `python -m tools.<name>`: benchmarks, the picture of the page, the check for the same bits.

May import everything; nothing imports it but its tests.
"""
