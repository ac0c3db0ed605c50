"""FEM: the strong and rare activations of the last feature map, whatever the class.

    B_c = [A_c > mu_c + k sigma_c]        L = sum_c mu_c B_c

with mu_c and sigma_c the mean and the population deviation of channel c over its positions, and k = 2 deviations.
Fuad, Martin, Giot, Bourqui, Benois-Pineau, Zemmari, "Features Understanding in 3D CNNs for Actions
Recognition in Video", IPTA 2020, equations 1 to 3. A constant channel contributes nothing.

Cost per image: the forward pass up to the chosen layer.
"""

import numpy as np

import constants
import utils
from explainers.base import Explainer

LAYER, LAYERS = "(h, w, K)", "(n, h, w, K)"  # the features of one image, or of several


class FEM(Explainer):
    """Feature Explanation Method; no class enters, `class_index` may be left out.

    k: how many deviations above its mean an activation must lie, k >= 0.
    """

    uses_class = False
    uses_layer = True
    begins_with = "features"

    def __init__(self, model, model_name, img_array, class_index=None, *, k: float = constants.FEM_K, **options):
        super().__init__(model, model_name, img_array, class_index, **options)
        if not 0 <= k < np.inf:  # NaN is refused too
            raise ValueError(f"k should be 0 or more, not {k}")
        self.k = k

    def expand_flat_values_to_activation_shape(self, values: np.ndarray, height: int, width: int) -> np.ndarray:
        """Channel values (n, K) or (K,) at every position: (n, height, width, K) or (height, width, K)."""
        values = utils.check_rank("values", values, "(K,)", "(n, K)")
        height, width = utils.check_whole("height", height), utils.check_whole("width", width)
        return np.broadcast_to(values[..., None, None, :], (*values.shape[:-1], height, width, values.shape[-1]))

    def compute_binary_maps(self, features: np.ndarray, sigma: float | None = None) -> np.ndarray:
        """Where each channel of features (n, h, w, K) or (h, w, K) lies above mu_c + k sigma_c: bool, same shape.

        sigma: the lab's name of k, for this call; None: the explainer's.
        """
        features = utils.check_rank("features", features, LAYER, LAYERS)
        k = self.k if sigma is None else sigma
        if not isinstance(k, (int, float, np.number)):
            raise ValueError(f"sigma should be a number, how many deviations above the mean, not {k!r}")
        threshold = features.mean(axis=(-3, -2)) + k * features.std(axis=(-3, -2))
        # With float32 the mean of equal values may fall just below them; such a channel marks no position.
        varies = features.max(axis=(-3, -2)) > features.min(axis=(-3, -2))
        threshold = np.where(varies, threshold, np.inf)
        return features > self.expand_flat_values_to_activation_shape(threshold, *features.shape[-3:-1])

    def aggregate_binary_maps(self, binary_maps: np.ndarray, features: np.ndarray) -> np.ndarray:
        """The binary maps (n, h, w, K) summed with the channels' means as weights: (n, h, w); (h, w) of (h, w, K)."""
        features = utils.check_rank("features", features, LAYER, LAYERS)
        if np.shape(binary_maps) != features.shape:
            raise ValueError(
                f"binary_maps should be of the features' shape {features.shape}, not {np.shape(binary_maps)}"
            )
        return np.einsum("...hwk,...k->...hw", binary_maps, features.mean(axis=(-3, -2)))

    def explain_batch(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """Maps (n, h, w) at the size of the feature map."""
        features = self.classifier.features(images)
        n_positions = features.shape[1] * features.shape[2]
        if n_positions - 1 <= self.k**2:
            raise ValueError(
                f"of {n_positions} positions of {self.classifier.layer_name!r} none can lie more than "
                f"{np.sqrt(n_positions - 1):.3g} deviations above their mean, k = {self.k:g} are wanted: the map is 0 "
                "whatever the image; choose a smaller --fem_k, or an earlier layer by --layer_name"
            )
        return self.aggregate_binary_maps(self.compute_binary_maps(features), features)
