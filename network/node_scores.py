"""The score of an inner node of a label tree, as logits: what a classifier's classes say of groups of them.

    probability of a node = sum of its leaves' probabilities
    logit of a node = logsumexp(logits of its leaves) - logsumexp(all other logits) = log(p / (1 - p))

so that the sigmoid of a node's logit is its probability. The grouping is that of Cole et al. 2022 ("On Label
Granularity and Object Localization", ECCV), who train on the coarser labels; here a trained model is read by them.

A leaf of the model is scored by the same formula, as a node of one leaf: its log-odds, not its plain logit. The plain
logit of a leaf grows with whatever lifts all classes, a node's does not; maps of two levels could then differ for the
kind of score and not for the level. So the map of a leaf here is not that of main.py, where gradients are used;
methods that go by the probability give the same.

Two things have no such score. A node that holds every class has nothing to be told from: its probability is 1 and its
logit infinite. The classes of a sigmoid do not exclude each other: their probabilities may sum to more than 1, and
"one of them" would need how they depend on each other, which the model does not say.
"""

import numpy as np
import tensorflow as tf

from network.scores import NONE, SOFTMAX, Score


def node_logits(logits: tf.Tensor, node_of: np.ndarray, n_nodes: int) -> tf.Tensor:
    """Logits (n, M) of M nodes from those of the C classes (n, C); node_of: int (C,), the node of each class."""
    by_class = tf.transpose(logits)
    largest = tf.stop_gradient(tf.math.unsorted_segment_max(by_class, node_of, n_nodes))
    sums = tf.math.unsorted_segment_sum(tf.exp(by_class - tf.gather(largest, node_of)), node_of, n_nodes)
    nodes = tf.transpose(largest + tf.math.log(sums))
    # All but one, from both sides: nothing is subtracted, so that a probability near 1 loses no digits.
    before = tf.math.cumulative_logsumexp(nodes, axis=1, exclusive=True)
    after = tf.math.cumulative_logsumexp(nodes, axis=1, exclusive=True, reverse=True)
    return nodes - tf.reduce_logsumexp(tf.stack([before, after]), axis=0)


def sum_leaves(probabilities: tf.Tensor, node_of: np.ndarray, n_nodes: int) -> tf.Tensor:
    """Probabilities (n, M) of M nodes from those of the C classes (n, C); node_of: int (C,), the node of each class."""
    return probabilities @ tf.one_hot(node_of, n_nodes)


def check_score(score: Score) -> None:
    """Raises ValueError for a model whose classes do not exclude each other."""
    if score.function != SOFTMAX:
        end = "gives numbers that are no probabilities" if score.function == NONE else f"ends in a {score.function}"
        raise ValueError(
            "a label level sums the probabilities of classes that exclude each other, those of a softmax; this model "
            + end
        )


def check_nodes(level_name: str, node_names: list[str]) -> None:
    """Raises ValueError for a level of a single node, which holds all classes."""
    if len(node_names) < 2:
        raise ValueError(
            f"label level '{level_name}' has one node, '{node_names[0]}', which holds all classes: with nothing to "
            "tell it from, its probability is 1 and it has no logit"
        )
