"""The page of app.py: what stands on it, what each handler does, who is on it, what its server answers.

May import the pipeline and all below it, neither comparison nor reporting, units or training; only app.py imports it.
"""
