"""FEM: the strong and rare activations of the last feature map, whatever the class.

    B_k = [A_k > mu_k + k sigma_k]        L = sum_k mu_k B_k

with mu_k and sigma_k the mean and the population deviation of channel k over its positions, k = 2.
Fuad, Martin, Giot, Bourqui, Benois-Pineau, Zemmari, "Features Understanding in 3D CNNs for Actions
Recognition in Video", IPTA 2020, equations 1 to 3. A constant channel contributes nothing.

Cost per image: the forward pass up to the chosen layer.
"""

import numpy as np

import constants
from explainers.base import Explainer


class FEM(Explainer):
    """Feature Explanation Method; no class enters, `class_index` may be left out.

    k: how many deviations above its mean an activation must lie, k >= 0.
    """

    uses_class = False
    uses_layer = True

    def __init__(self, model, model_name, img_array, class_index=None, *, k: float = constants.FEM_K, **options):
        super().__init__(model, model_name, img_array, class_index, **options)
        if not 0 <= k < np.inf:  # NaN is refused too
            raise ValueError(f"k should be 0 or more, not {k}")
        self.k = k

    def expand_flat_values_to_activation_shape(self, values: np.ndarray, height: int, width: int) -> np.ndarray:
        """Channel values (n, K) at every position: (n, height, width, K)."""
        return np.broadcast_to(values[:, None, None, :], (len(values), height, width, values.shape[-1]))

    def compute_binary_maps(self, features: np.ndarray) -> np.ndarray:
        """Where each channel of features (n, h, w, K) lies above mu_k + k sigma_k: bool, same shape."""
        threshold = features.mean(axis=(1, 2)) + self.k * features.std(axis=(1, 2))
        # With float32 the mean of equal values may fall just below them; such a channel marks no position.
        varies = features.max(axis=(1, 2)) > features.min(axis=(1, 2))
        threshold = np.where(varies, threshold, np.inf)
        return features > self.expand_flat_values_to_activation_shape(threshold, *features.shape[1:3])

    def aggregate_binary_maps(self, binary_maps: np.ndarray, features: np.ndarray) -> np.ndarray:
        """The binary maps (n, h, w, K) summed with the channels' means as weights: (n, h, w)."""
        return np.einsum("nhwk,nk->nhw", binary_maps, features.mean(axis=(1, 2)))

    def explain_batch(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """Maps (n, h, w) at the size of the feature map."""
        features = self.classifier.features(images)
        return self.aggregate_binary_maps(self.compute_binary_maps(features), features)
