"""The `Classifier` of a Keras model that is asked again and again: one until the model's weights change."""

import functools

from network import model_reading
from network.classifier import Classifier, TargetFunction


@functools.lru_cache(maxsize=2)
def _classifier_of(model, model_name: str | None, fingerprint: str, target: TargetFunction | None) -> Classifier:
    return Classifier(model, model_name, target=target)


@functools.lru_cache(maxsize=2)
def _classifier_with(classifier: Classifier, target: TargetFunction) -> Classifier:
    return classifier.of_target(target)


def as_classifier(model, model_name: str | None, target: TargetFunction | None = None) -> Classifier:
    """The model's `Classifier`, with a target in the place of its classes where one is given.

    One is kept for a Keras model until its weights change, and for a target, as graphs are costly.
    """
    if not isinstance(model, Classifier):
        if not callable(getattr(model, "get_weights", None)):
            raise ValueError(f"model should be a Keras model or a Classifier; got {model!r}")
        return _classifier_of(model, model_name, model_reading.fingerprint(model), target)
    return model if target is None else _classifier_with(model, target)
