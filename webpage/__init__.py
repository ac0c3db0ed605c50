"""The page of app.py.

server      the page at its address: settings, start, end
guard       who may ask the server for what
page        what each handler does
layout      the fields and buttons, choices (what may be chosen), style.css
follow      what a visitor sees while an answer is computed
maps, html  the answers, drawn
visitors    who is on the page, and the files they sent
case        a photograph and the questions about it
answers     what is asked of the pipeline, and found
live        a camera's pictures, explained as they come
work        computations that are watched and stopped

Imports pipeline and what that stands on; is imported by app.py alone.
"""
