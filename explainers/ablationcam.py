"""Ablation-CAM: each channel weighted by how far the class logit falls without it; no gradients.

    w_k = (S - S_k) / S,   S_k the logit with A_k := 0       L = ReLU(sum_k w_k A_k)

Desai and Ramaswamy, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free
Localization", WACV 2020, equations 2 and 3. Where S <= 0 dividing would turn the sign round: there the weight is
S - S_k, and the record says so.

Only the layers behind the feature map run again for each channel. Those that treat channels apart and keep a
zero - pooling, ReLU, dropout - run once: A_k := 0 before them is A_k := 0 behind them.

Cost per image: one forward pass, and K times the layers behind the feature map and those.
"""

import numpy as np
import tensorflow as tf

from explainers.base import Explainer

ABLATION_VALUES = 2**22  # numbers of ablated features held at a time per image: 16 MB


class AblationCAM(Explainer):
    """Ablation-CAM."""

    uses_layer = True
    rectified = True
    perturbs_features = True

    def ablate_channels(self, images: np.ndarray, class_index: np.ndarray) -> tuple[np.ndarray, ...]:
        """Features (n, h, w, K), logits S (n,) and logits without each channel S_k (n, K) of the class."""
        classifier = self.classifier

        def ablate(images, class_index):
            features, head, rest = classifier.split(images)
            n_channels = head.shape[-1]
            size = head.shape[1:-1].num_elements() or 1
            together = min(n_channels, max(1, ABLATION_VALUES // (size * n_channels)))

            def score_without(first):  # the channels first, first + 1, ... -> (together, n)
                keep = 1 - tf.one_hot(first + tf.range(together), n_channels, dtype=head.dtype)
                keep = tf.reshape(keep, [together, *[1] * (len(head.shape) - 2), n_channels])
                ablated = tf.reshape(head[:, None] * keep, [-1, *head.shape[1:]])
                logits = tf.reshape(rest(ablated), [-1, together, classifier.n_classes])
                return tf.transpose(tf.gather(logits, class_index, axis=2, batch_dims=1))

            starts = tf.range(0, n_channels, together)
            scores = tf.map_fn(score_without, starts, fn_output_signature=tf.float32)  # (groups, together, n)
            scores = tf.reshape(scores, [-1, tf.shape(images)[0]])[:n_channels]
            return features, tf.gather(rest(head), class_index, axis=1, batch_dims=1), tf.transpose(scores)

        return tuple(part.numpy() for part in classifier.compiled("ablation", ablate)(images, class_index))

    def weigh_channels(self, scores: np.ndarray, scores_without: np.ndarray) -> np.ndarray:
        """w (n, K) of logits S (n,) and S_k (n, K)."""
        positive = scores > 0
        return (scores[:, None] - scores_without) / np.where(positive, scores, 1)[:, None]

    def explain_batch(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """Maps (n, h, w) at the size of the feature map."""
        features, scores, scores_without = self.ablate_channels(images, class_index)
        weights = self.weigh_channels(scores, scores_without)
        return np.maximum(np.einsum("nhwk,nk->nhw", features, weights), 0)

    def describe_maps(self, maps: np.ndarray) -> list[dict]:
        """Also, for each image, whether the weights were not divided by the logit because it is not positive."""
        scores = self.classifier.logits(self.images)[np.arange(len(self.images)), self.class_indices]
        undivided = [{} if score > 0 else {"undivided": f"logit {score:.3g} <= 0: weights S - S_k"} for score in scores]
        return [more | remark for more, remark in zip(super().describe_maps(maps), undivided)]
