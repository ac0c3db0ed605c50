"""What is asked again of the same arrays is answered as before, while answers are shared, and at no other time."""

from collections import Counter

import numpy as np
import pytest
from planted import GREEN, RED, noise, picture

from explainers.registry import METHODS
from network import shared_answers
from network.shared_answers import SharedAnswers

IMAGE = np.arange(12, dtype=np.float32).reshape(2, 2, 3)


class Asked:
    """A question that counts how often it is worked out, at three passes each."""

    def __init__(self):
        self.shared, self.counts = SharedAnswers(), Counter()

    def __call__(self, image=IMAGE, question="f"):
        def compute():
            self.counts["passes"] += 3
            return image.sum() + np.zeros(2)

        return self.shared.ask(question, [image], compute, self.counts)


def test_the_same_question_on_equal_arrays_is_worked_out_once_and_tells_what_it_saved():
    ask = Asked()
    with ask.shared.open():
        first, again = ask(), ask(IMAGE.copy())
        assert first is again
        assert (ask.counts["passes"], ask.shared.saved["passes"]) == (3, 3)
        assert ask.shared.saved["seconds"] > 0
        ask(IMAGE + 1), ask(question="g"), ask(IMAGE.reshape(4, 3)), ask(IMAGE.astype(np.float64))
        assert ask.counts["passes"] == 15


def test_nothing_is_kept_outside_nor_afterwards_nor_while_it_is_shut():
    ask = Asked()
    ask(), ask()
    with ask.shared.open():
        ask()
        with ask.shared.open(False):
            ask()
        ask()
    ask()
    assert ask.counts["passes"] == 15
    assert ask.shared.saved["passes"] == 3


def test_nobody_writes_to_what_others_will_be_given():
    ask = Asked()
    with ask.shared.open(), pytest.raises(ValueError, match="read-only"):
        ask()[0] = 1


def test_an_answer_may_hold_those_of_other_questions_at_its_own_cost():
    ask = Asked()
    with ask.shared.open():
        ask.shared.ask("both", [IMAGE], lambda: ask(question="f"), ask.counts, lambda f: [("half", [IMAGE + 1], f / 2)])
        half = ask.shared.ask("half", [IMAGE + 1], None, ask.counts)
        np.testing.assert_array_equal(half, [IMAGE.sum() / 2] * 2)
        assert (ask.counts["passes"], ask.shared.saved["passes"]) == (3, 3)


def test_the_oldest_answers_are_forgotten_first(monkeypatch):
    monkeypatch.setattr(shared_answers, "MOST_BYTES", 40)  # two answers of two numbers, of eight bytes each
    ask = Asked()
    with ask.shared.open():
        for question in "abc":
            ask(question=question)
        ask(question="c"), ask(question="b")
        assert ask.counts["passes"] == 9
        ask(question="a")
        assert ask.counts["passes"] == 12


def test_what_several_answers_hold_counts_once(monkeypatch):
    monkeypatch.setattr(shared_answers, "MOST_BYTES", 20)  # one answer of two numbers
    ask = Asked()
    with ask.shared.open():
        ask.shared.ask("both", [IMAGE], lambda: ask(question="f"), ask.counts, lambda f: [("same", [IMAGE], f)])
        assert ask.shared.ask("same", [IMAGE], None, ask.counts) is ask.shared.ask("both", [IMAGE], None, ask.counts)


def test_methods_that_grew_from_gradcam_share_one_pass_and_keep_their_bits(planted_classifier):
    family = "GRADCAM", "GRADCAM_PLUS_PLUS", "HIRESCAM", "LAYERCAM", "FEM"
    images = np.stack([picture(RED), picture(GREEN)])

    def explain(name):
        return METHODS[name].load()(planted_classifier, None, images, [RED, GREEN]).compute_saliency_map()

    alone = {name: explain(name) for name in family}
    before = planted_classifier.counts["passes"]
    with planted_classifier.shared.open():
        together = {name: explain(name) for name in family}
    assert planted_classifier.counts["passes"] - before == 2
    for name in family:
        np.testing.assert_array_equal(together[name], alone[name])


def test_superpixels_and_the_whole_image_are_asked_for_once(planted_classifier):
    image = noise(1, side=96)[0]
    options = {"LIME": {"num_samples": 8}, "KERNEL_SHAP": {"num_samples": 8}, "OCCLUSION": {"patch": 48, "stride": 48}}

    def explain(name):
        return METHODS[name].load()(planted_classifier, None, image, RED, **options[name]).compute_saliency_map()

    alone = {name: explain(name) for name in options}
    saved = planted_classifier.shared.saved.copy()
    with planted_classifier.shared.open():
        together = {name: explain(name) for name in options}
    saved = planted_classifier.shared.saved - saved
    assert saved["passes"] == 2  # f(x) of KernelSHAP and of occlusion
    for name in options:
        np.testing.assert_array_equal(together[name], alone[name])
