"""webpage."""
