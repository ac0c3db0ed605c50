"""How wide a saliency map spreads, in two numbers that depend neither on its scale nor on its size.

    area over half maximum = share of pixels with e >= max(e) / 2
    entropy = - sum p log p / log(HW),  p = e / sum e: 0 for a single pixel, 1 for an even map

with e the energy of the map as `localisation.energy_pointing_game` has it: of a signed map what speaks for the class,
of any other what lies above its minimum. Without energy neither is defined: `Undefined`.
"""

import numpy as np

from evaluate import Undefined


def measure_area(saliency_map: np.ndarray) -> float:
    """The share of a map (H, W) that reaches half its largest energy: above 0, up to 1."""
    energy = _energy(saliency_map)
    return float(np.mean(energy >= energy.max() / 2))


def measure_entropy(saliency_map: np.ndarray) -> float:
    """The entropy of a map (H, W) as a share of that of an even one: 0 to 1."""
    energy = _energy(saliency_map)
    shares = energy[energy > 0] / energy.sum()
    return float(-np.sum(shares * np.log(shares)) / np.log(energy.size)) + 0.0


def _energy(saliency_map: np.ndarray) -> np.ndarray:
    saliency_map = np.asarray(saliency_map, dtype=np.float64)
    energy = np.maximum(saliency_map - max(saliency_map.min(), 0), 0)
    if not energy.any():
        raise Undefined("no value of the map is above its minimum, or positive")
    return energy
