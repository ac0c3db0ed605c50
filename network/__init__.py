"""The classifier: the only room that knows a Keras model.

Here a model file is opened, what the model means is read and probed (input size, preprocessing, score, layer to look
at), and its features, logits, probabilities and gradients are computed in compiled calls. Beside them stand batch-norm
folding, randomised weights, classes of several levels, transfer to a new head, the bag of patches with attention, and
the embedded network with its weights.
Imports constants, utils, output and the names of data. The explainers and every room above them may import it; data,
metrics and plots never do: they know arrays alone.
"""
