"""What happens when this project is killed, or given what nobody should give it: `python -m tools.faults`.

    kills.py                every command is killed and run again: its files must be those of a calm run
    faulty_images.py, faulty_models.py, faulty_tables.py, faulty_states.py
                            malformed files, and how they are given to the program
    mangle.py               how bytes, texts and JSON are spoiled
    trials.py               inputs are tried in a process of their own, which is watched: refused, explained or escaped
    hostile_requests.py     requests that are sent to the page's server directly

It may import everything, the commands too (by name), and is imported by its tests alone.
"""
