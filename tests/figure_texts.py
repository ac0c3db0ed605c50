"""What a figure says, and whether each text lies inside it and on no other: for the tests of figures."""

import matplotlib


def texts_of(figure):
    """The texts that are drawn; matplotlib also holds labels of ticks beyond the ends of an axis."""
    both = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) if axes.axison]
    beyond = {
        tick.label1
        for axis in both
        for tick in axis.get_major_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    texts = figure.findobj(matplotlib.text.Text)
    return [text for text in texts if text.get_visible() and text.get_text() and text not in beyond]


def words_of(figure):
    return [text.get_text() for text in texts_of(figure)]


def assert_texts_are_whole_and_apart(figure):
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    # A pixel less on each side: boxes contain the white around letters.
    boxes = [(text.get_text(), text.get_window_extent(renderer).padded(-1)) for text in texts_of(figure)]
    for text, box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0, text
        assert box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height, text
    for place, (text, box) in enumerate(boxes):
        for other, other_box in boxes[place + 1 :]:
            assert not box.overlaps(other_box), f"{text!r} lies on {other!r}"
