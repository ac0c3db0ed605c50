"""A photograph, what is asked about it, and the visitors of a page, for the tests of the page."""

import pytest
from PIL import Image
from planted import GREEN, RED, picture


@pytest.fixture
def photograph(tmp_path):
    """A file with a red and a green square on grey."""
    path = tmp_path / "a photograph.png"
    Image.fromarray(picture(RED, GREEN)).save(path)
    return path


@pytest.fixture
def case(photograph, planted_classifier, tmp_path):
    from webpage.case import Case

    return Case(photograph, planted_classifier, tmp_path / "files")


@pytest.fixture
def visitors(tmp_path):
    from webpage.visitors import Visitors

    visitors = Visitors(tmp_path)
    yield visitors
    visitors.close()
