"""How files are left: written whole or not at all, in a folder that one process holds, with a line of progress.

Imports constants and utils; every other room may import it.
"""
