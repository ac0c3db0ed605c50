"""Small models of every kind of docs/models.md, and every method asked about each; `python -m tools.model_matrix`.

small_models.py   the models, and what is known of each        questions.py   what is asked of one, and the mark it gets

It may import what it asks; nothing imports it but tests and other tools.
"""
