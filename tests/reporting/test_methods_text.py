"""What a report says of methods in words: no folder of its author's, and a paper for each."""

import pytest

from explainers.registry import METHODS
from metrics.catalogue import METRICS
from reporting import references
from reporting.methods_text import hide_paths


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/home/jane/data/images_val", "images_val"),
        ("the model file /home/jane/models/fine.keras", "the model file fine.keras"),
        ("failed: cannot read '/home/Jane Doe/a b.png' (damaged)", "failed: cannot read 'a b.png' (damaged)"),
        (r"C:\Users\jane\run", "run"),
        ("x / 255, or (x / 255 - mean) / std", "x / 255, or (x / 255 - mean) / std"),
        ("images/red/0.png and stage2/relu", "images/red/0.png and stage2/relu"),
        ("mean/std", "mean/std"),
    ],
)
def test_of_a_path_the_last_part_is_told(text, wanted):
    assert hide_paths(text) == wanted


def test_every_method_has_its_paper_and_every_key_an_entry():
    assert set(references.PAPER_OF_METHOD) == set(METHODS)
    assert set(references.PAPER_OF_METRIC) <= set(METRICS)
    cited = {
        *references.PAPER_OF_METHOD.values(),
        *references.PAPER_OF_METRIC.values(),
        references.BOOTSTRAP,
        references.WILCOXON,
    }
    cited |= {references.HOLM, references.RANK_BISERIAL}
    assert cited == set(references.ENTRIES)


def test_an_entry_is_a_line_in_a_page_and_bibtex_in_a_document():
    assert references.describe("ribeiro2016") == (
        "Marco Tulio Ribeiro, Sameer Singh, Carlos Guestrin. “Why Should I Trust You?”: Explaining the Predictions of "
        "Any Classifier. ACM SIGKDD International Conference on Knowledge Discovery and Data Mining, 1135–1144, 2016."
    )
    bibtex = references.write_bibtex(["holm1979"])
    assert bibtex.startswith("@article{holm1979,\n  author = {Holm, Sture},") and bibtex.endswith("}\n")
