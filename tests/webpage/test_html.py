"""Names are text, lists are lists for a screen reader too."""

from page_tags import Tags
from planted import COLOURS

from webpage import html


def test_names_are_text_and_never_tags():
    evil = '<script>alert(1)</script>" onload="x'
    for page in (
        html.show_status(evil),
        html.show_table({evil: evil}),
        html.show_classes({0: 0.5}, [evil], 0),
        html.show_image(b"", "png", evil),
    ):
        tags = Tags(page)
        assert not tags.all("script") and not any("onload" in attrs for _, attrs in tags.tags)


def test_the_list_of_classes_is_one_group_with_a_bar_behind_each():
    tags = Tags(html.show_classes({2: 0.75, 0: 0.25}, COLOURS, chosen=0))
    assert [(field["value"], "checked" in field) for field in tags.all("input")] == [("2", False), ("0", True)]
    assert len({field["name"] for field in tags.all("input")}) == 1
    assert [label["style"] for label in tags.all("label")] == ["--share: 75.0%", "--share: 25.0%"]
    assert "".join(tags.text) == "Most probable classesblue0.75red0.25"
