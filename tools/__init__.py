"""What developers run as `python -m tools.<name>`: benchmarks, the picture of the page, the check for the same bits.
And what teachers run: notebooks with their outputs, the students' version of them, the numbers to expect.

May import everything; nothing imports it but its tests.
"""
