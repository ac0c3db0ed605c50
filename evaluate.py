"""The metrics of a saliency map, behind one door. They know arrays and one callable: `predict`, from float32 RGB 0-255
(n, H, W, 3) to probabilities (n, C). What has no value raises `Undefined` with its reason.

| ground truth | module | metrics |
|---|---|---|
| the classifier's scores | `insertion_deletion` | deletion, insertion |
| | `faithfulness` | average drop and increase, MuFidelity, sensitivity |
| | `road` | ROAD |
| a gaze density map (H, W) | `density` | PCC, SIM, KL, MAE, MSE, SSIM |
| points of fixation (M, 2) | `fixation` | NSS, AUC-Judd, AUC-Borji, shuffled AUC, information gain |

`common` holds what they share. Each module says what it computes, from which paper, and at what cost. This is the door
for all others: no module of metrics/ imports it.
"""

from metrics.common import Predict, Undefined, predict_scores, rank_pixels, scale_map
from metrics.density import calculate_kl, calculate_mae, calculate_mse, calculate_pcc, calculate_sim, calculate_ssim
from metrics.faithfulness import calculate_drop, calculate_mufidelity, calculate_sensitivity
from metrics.fixation import (
    calculate_auc_borji,
    calculate_auc_judd,
    calculate_information_gain,
    calculate_nss,
    calculate_sauc,
)
from metrics.insertion_deletion import (
    blur_image,
    calculate_auc,
    deletion,
    generate_batches,
    insertion,
    set_n_pixels_deletion,
    set_n_pixels_insertion,
)
from metrics.road import calculate_road

__all__ = [
    "Predict",
    "Undefined",
    "blur_image",
    "calculate_auc",
    "calculate_auc_borji",
    "calculate_auc_judd",
    "calculate_drop",
    "calculate_information_gain",
    "calculate_kl",
    "calculate_mae",
    "calculate_mse",
    "calculate_mufidelity",
    "calculate_nss",
    "calculate_pcc",
    "calculate_road",
    "calculate_sauc",
    "calculate_sensitivity",
    "calculate_sim",
    "calculate_ssim",
    "deletion",
    "generate_batches",
    "insertion",
    "predict_scores",
    "rank_pixels",
    "scale_map",
    "set_n_pixels_deletion",
    "set_n_pixels_insertion",
]
