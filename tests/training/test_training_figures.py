"""The figures of a training run: counts, curves and titles in their right places."""

import numpy as np
import pytest
from figure_texts import assert_texts_are_whole_and_apart, words_of

import constants
from training.training_figures import figure_confusion_matrix, figure_training, figure_worst


def test_confusion_matrix_has_true_classes_as_rows_and_writes_the_counts_of_few():
    figure = figure_confusion_matrix(np.array([[8, 2, 0], [0, 5, 0], [0, 0, 0]]), constants.STYLES)
    axes = figure.axes[0]
    counts = {text.get_position(): text.get_text() for text in axes.texts}
    assert counts[1, 0] == "2"  # x: predicted Modern, y: true Colonial
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.8, 0.2, 0], [0, 1, 0], [0, 0, 0]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert_texts_are_whole_and_apart(figure)


def test_confusion_matrix_of_142_classes_has_names_and_no_numbers():
    names = [f"Colonial_BasilicaDeNuestraSenora_{k}" for k in range(142)]
    figure = figure_confusion_matrix(np.eye(142, dtype=int), names)
    assert not figure.axes[0].texts
    figure.canvas.draw()
    labels = figure.axes[0].get_yticklabels()
    boxes = [label.get_window_extent() for label in labels]
    assert len(boxes) == 142
    assert boxes[0].x0 >= 0
    assert all(upper.y0 >= lower.y1 - 3 for upper, lower in zip(boxes, boxes[1:]))


def test_confusion_matrix_of_another_size_than_its_names_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 3\) for 3 classes, given \(2, 2\)"):
        figure_confusion_matrix(np.eye(2), constants.STYLES)


def test_training_curves_count_epochs_from_1_and_mark_fine_tuning():
    history = {"accuracy": [0.5, 0.7, 0.9], "val_accuracy": [0.4, 0.5, 0.6]}
    history |= {"loss": [2.0, 1.0, 0.5], "val_loss": [2.1, 1.5, 1.4]}
    figure = figure_training(history, fine_tuning_epoch=3)
    accuracy, loss = figure.axes
    np.testing.assert_allclose(accuracy.lines[0].get_xydata(), [[1, 0.5], [2, 0.7], [3, 0.9]])
    np.testing.assert_allclose(loss.lines[1].get_ydata(), history["val_loss"])
    assert all(axes.lines[-1].get_xdata()[0] == 2.5 for axes in (accuracy, loss))
    assert_texts_are_whole_and_apart(figure)


def test_a_short_fine_tuning_is_named_before_its_line():
    history = {"loss": np.linspace(2, 0.1, 90)}
    assert_texts_are_whole_and_apart(figure_training({**history, "accuracy": history["loss"]}, fine_tuning_epoch=90))


def test_training_without_validation_draws_one_line_and_without_loss_is_refused():
    figure = figure_training({"accuracy": [0.5], "loss": [1.0]})
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["training"]
    with pytest.raises(ValueError, match=r"given \['accuracy'\]"):
        figure_training({"accuracy": [0.5]})


def test_worst_images_are_a_grid_of_their_titles():
    titles = [f"true: {k}\npredicted: x 0.9" for k in range(10)]
    figure = figure_worst([np.zeros((9, 9, 3), np.uint8)] * 10, titles)
    assert len(figure.axes) == 10
    assert "the 10 worst classified images" in words_of(figure)
    assert "true: 7" in words_of(figure)
