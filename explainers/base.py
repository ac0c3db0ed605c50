"""The contract of every explainer: one question - this model, these images, these classes - and its answer.

    Explainer(model, model_name, img_array, class_index, **options).compute_saliency_map()

A `target` may stand in the place of the class: any number that can be worked out of the model's outputs.

This base class checks what it is given, brings the images to the model's input size and goes through them in
batches; a subclass says in `explain_batch` only what is its own.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

import constants
import utils
from network.classifier import Classifier, TargetFunction
from network.kept_classifiers import as_classifier


class Moment(NamedTuple):
    """One moment of a map that is on its way: in words, the image (H, W, 3) that was asked for last, the map so far."""

    label: str
    image: np.ndarray
    saliency_map: np.ndarray


NOTHING_POSITIVE = "the layer's weighted sum is nowhere above 0: nothing in it speaks for the class"


class Explainer:
    """One explanation method on given images and classes.

    model: a built Keras model or a `Classifier`; it is never changed.
    model_name: name of constants.ZOO that fixes preprocessing and layer; None: raw pixels, layer found.
    img_array: RGB 0-255, uint8 or float, (H, W, 3) or (N, H, W, 3), of any size; for a model of one channel also
        (H, W), (H, W, 1) or (N, H, W, 1).
    class_index: an int for all images, or N ints; None where no class enters, or a target takes its place.
    target: what the model gives for n images, tensors -> one number for each, (n,), a tensor; see docs/targets.md.
    batch_size: images per forward pass; seed: of everything drawn at random.
    progress: called with (done, total) forward passes of one image by the methods that need many; what it raises, as
        `output.progress.Stopped`, ends the explanation.
    Raises ValueError naming what was wanted and what was given.
    """

    uses_class = True  # False: the map is the same for every class
    signed = False  # True: negative values speak against the class
    rectified = False  # True: a ReLU leaves of the layer's weighted sum only what speaks for the class
    needs_gradients = False
    uses_layer = False  # True: looks at the features of the chosen layer
    perturbs = False  # True: scores many changed copies of each image
    animates = False  # True: `compute_moments` shows how a map comes about
    perturbs_features = False  # True: scores many changed copies of each image's features
    begins_with = ""  # 'features' or 'gradients', of the layer, of the whole images: `begin` gives f(x) with them
    scope = "local"  # 'local': answers for one image; 'global': for a class or a unit, whatever the image

    def __init__(
        self,
        model,
        model_name: str | None,
        img_array: np.ndarray,
        class_index=None,
        *,
        target: TargetFunction | None = None,
        batch_size: int | None = None,
        seed: int = constants.SEED,
        progress: Callable[[int, int], None] | None = None,
    ):
        self.model, self.model_name = model, model_name
        self.classifier = as_classifier(model, model_name, target)
        for view in self.classifier.by_layer:
            self.check_classifier(view)
        self.img_array = self._add_colours(np.asarray(img_array))
        self.images = self._check_images(self.img_array)
        self.class_index = class_index
        if class_index is not None and target is not None:
            raise ValueError("class_index and target exclude each other: a target has no classes")
        self.class_indices = self._check_class_index(class_index, len(self.images))
        self.batch_size = self.classifier.batch_size if batch_size is None else batch_size
        if self.batch_size < 1:
            raise ValueError(f"batch_size should be 1 or more, not {batch_size}")
        self.seed, self.progress = seed, progress

    @classmethod
    def check_classifier(cls, classifier: Classifier) -> None:
        """Raises ValueError if this method cannot explain that classifier, saying why."""
        if cls.uses_layer:
            classifier.require_layer()

    @classmethod
    def begin(cls, classifier: Classifier, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """Probabilities (n, C) by the forward pass that the method begins with, of a batch as `explain_batch` takes it.

        For a method that `begins_with` one; its explanation of the same batch then takes what else the pass gave.
        class_index: (n,), -1 for the most probable class of an image.
        """
        return classifier.predict_with_features(images)

    @classmethod
    def taxonomy(cls) -> tuple[str, str, str]:
        """Where the method stands: 'local' or 'global'; 'specific' to networks it can look into, or 'agnostic', which
        asks for probabilities alone; by 'gradient', 'perturbation' or 'activation'."""
        agnostic = cls.perturbs and not cls.uses_layer
        changes = cls.perturbs or cls.perturbs_features
        means = "gradient" if cls.needs_gradients else "perturbation" if changes else "activation"
        return cls.scope, "agnostic" if agnostic else "specific", means

    def compute_saliency_map(self) -> np.ndarray:
        """The map (H, W) of one image or (N, H, W) of a batch, float32, at the model's input size, raw scale."""
        return self.compute_both_maps()[0]

    def compute_both_maps(self) -> tuple[np.ndarray, list[np.ndarray] | None]:
        """`compute_saliency_map`, and the same in its own resolution, (h, w) of each image: what `enlarge` takes.

        Of several layers together there is no such map: None.
        """
        if self.uses_layer and len(self.classifier.by_layer) > 1:
            views = self.classifier.by_layer
            return np.mean([self._with(view).compute_saliency_map() for view in views], axis=0), None
        own = list(self.compute_own_maps())
        return self.finish_maps(own), own

    def compute_own_maps(self) -> Iterable[np.ndarray]:
        """One map per image, of any size."""
        for start in range(0, len(self.images), self.batch_size):
            batch = slice(start, start + self.batch_size)
            yield from self.explain_batch(self.images[batch], self.class_indices[batch])

    def _with(self, classifier: Classifier) -> "Explainer":
        twin = copy.copy(self)
        twin.classifier = classifier
        return twin

    def finish_maps(self, maps: Iterable[np.ndarray]) -> np.ndarray:
        """One map of any size per image as `compute_saliency_map` returns them; ValueError if not finite."""
        finished = np.stack([self.enlarge(saliency_map) for saliency_map in maps])
        if not np.isfinite(finished).all():
            raise ValueError(f"{type(self).__name__} gave a map with NaN or infinite values")
        return finished[0] if self.img_array.ndim == 3 else finished

    def enlarge(self, saliency_map: np.ndarray) -> np.ndarray:
        """A map of `explain_batch`, float32 (H, W): one of a layer is laid where the layer lies on the input."""
        if self.uses_layer:
            return self.classifier.lay_out(saliency_map)
        return utils.resize_map(saliency_map, *self.images.shape[1:3])

    def explain_batch(self, images: np.ndarray, class_index: np.ndarray) -> Iterable[np.ndarray]:
        """Maps of any size for float32 images (n, H, W, 3) at the input size and int32 classes (n,)."""
        raise NotImplementedError

    def check_gradients(self, gradients: np.ndarray) -> np.ndarray:
        """The gradients (n, ...) of images; ValueError where there can be none, of a model that gives no logits."""
        if self.classifier.score.hides_logits and not gradients.reshape(len(gradients), -1).any(axis=1).all():
            raise ValueError(
                "the model gives probabilities alone, and one that is 0 or 1 to the last digit has no gradient: "
                "methods that perturb the image remain"
            )
        return gradients

    def compute_moments(self, n: int) -> Iterator[Moment]:
        """How the map of the first image comes about, in about n moments, the last of which has the map itself."""
        raise NotImplementedError

    def describe_maps(self, maps: np.ndarray) -> list[dict]:
        """For each image, what else its record should say of the maps (N, H, W), by name; mostly nothing."""
        return [{"zero": NOTHING_POSITIVE} if self.rectified and not one.any() else {} for one in maps]

    def compute_pictures(self) -> list[dict[str, np.ndarray]]:
        """For each image, further pictures of the answer by name, uint8 RGB (H, W, 3); most methods have none."""
        return [{} for _ in self.images]

    def stream_probabilities(self, batches: Iterable[np.ndarray], perturb: Callable, total: int) -> Iterator[tuple]:
        """Each batch with the probabilities (n, C) of the images `perturb(batch)`; made, scored and forgotten."""
        done = 0
        for batch in batches:
            yield batch, self.classifier.predict(perturb(batch))
            done += len(batch)
            self.report(done, total)

    def report(self, done: int, total: int) -> None:
        """Tells `progress` how many of an image's forward passes are done."""
        if self.progress is not None:
            self.progress(done, total)

    def _add_colours(self, img_array: np.ndarray) -> np.ndarray:
        """(..., H, W, 3) of grey images (H, W), (H, W, 1), (N, H, W, 1) for a model of one channel; others as given."""
        if self.classifier.n_channels != 1:
            return img_array
        if img_array.ndim == 2:
            img_array = img_array[..., None]
        return img_array.repeat(3, axis=-1) if img_array.shape[-1] == 1 else img_array

    def _check_images(self, img_array: np.ndarray) -> np.ndarray:
        if img_array.ndim not in (3, 4) or img_array.shape[-1] != 3 or 0 in img_array.shape:
            grey = ", or (H, W), (H, W, 1), (N, H, W, 1)" if self.classifier.n_channels == 1 else ""
            raise ValueError(f"img_array should be (H, W, 3) or (N, H, W, 3){grey}, not {img_array.shape}")
        if not (img_array.dtype == np.uint8 or np.issubdtype(img_array.dtype, np.floating)):
            raise ValueError(f"img_array should be uint8 or float, not {img_array.dtype}")
        shift = self.classifier.shift  # of a twin that takes all pixels larger by so much
        low, high = img_array.min() - shift, img_array.max() - shift
        if not (low > -0.01 and high < 255.01):  # resizing may overshoot by a rounding error; NaN is refused too
            raise ValueError(f"img_array should be RGB 0-255; it ranges from {low} to {high}")
        if img_array.dtype != np.uint8 and 0 < high <= 1:
            raise ValueError(f"img_array should be RGB 0-255; its largest value is {high}: multiply it by 255")
        size = self.classifier.input_height, self.classifier.input_width
        images = img_array if img_array.ndim == 4 else img_array[None]
        resized = [utils.resize_image(image.astype(np.float32), *size) for image in images]
        return np.clip(np.stack(resized), shift, 255 + shift)

    def _check_class_index(self, class_index, n_images: int) -> np.ndarray:
        if class_index is None:
            if self.uses_class and self.classifier.target is None:
                raise ValueError(f"{type(self).__name__} explains a class: give class_index, one int or one per image")
            return np.zeros(n_images, dtype=np.int32)
        indices = np.asarray(class_index)
        if not np.issubdtype(indices.dtype, np.integer):
            raise ValueError(f"class_index should be an int or one int per image, not {class_index!r}")
        if indices.ndim > 1 or (indices.ndim == 1 and len(indices) != n_images):
            raise ValueError(f"class_index should be one int or {n_images}, one per image; {indices.size} were given")
        n_classes = self.classifier.n_classes
        if indices.size and (indices.min() < 0 or indices.max() >= n_classes):
            raise ValueError(f"class_index should lie in 0..{n_classes - 1}; given: {class_index}")
        return np.broadcast_to(indices, n_images).astype(np.int32)
