"""The patterns that the small transformer is trained on: told apart by their stripes alone."""

import numpy as np

from tools.transformer_maps import PATTERNS, SIDE, SQUARE, build, draw


def test_a_square_has_its_pattern_where_it_is_said_to_be_and_the_grey_of_the_noise():
    images, classes, where = draw(40, seed=3)
    assert set(classes) == {0, 1, 2} and len(PATTERNS) == 3
    for image, index, at in zip(images, classes, where):
        assert at.sum() == SQUARE**2
        square = image[at].reshape(SQUARE, SQUARE, 3)[..., 0]
        assert abs(square.mean() - image[~at].mean()) < 6
        down, across = (np.abs(np.diff(square, axis=axis)).mean() for axis in (0, 1))
        lies, stands = down > 1.5 * across, across > 1.5 * down
        assert (lies, stands) == ((True, False), (False, True), (False, False))[index]


def test_the_transformer_takes_these_images_and_gives_a_probability_for_each_pattern():
    probabilities = build()(draw(2, seed=0)[0])
    assert probabilities.shape == (2, 3)
    np.testing.assert_allclose(np.sum(probabilities, axis=1), 1, rtol=1e-5)
    assert build().input_shape == (None, SIDE, SIDE, 3)
