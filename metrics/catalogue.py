"""Every number a record can hold about a map: its name, what it is measured against, its range, which end is better.

The one list that records, tables, tests of differences and reports go by; the numbers themselves are computed by
`evaluate.py`.
"""

from typing import NamedTuple

DENSITY, POINTS, NETWORK = "density map", "fixations", "network"


class Metric(NamedTuple):
    """One column of a table. against: DENSITY, POINTS or NETWORK. low, high: its range. better: 'higher' or 'lower'."""

    name: str
    heading: str
    against: str
    low: float
    high: float
    better: str

    @property
    def arrow(self) -> str:
        """Which way is better, in one letter."""
        return "↑" if self.better == "higher" else "↓"


INFINITE = float("inf")
METRICS = {
    metric.name: metric
    for metric in (
        Metric("pcc", "PCC", DENSITY, -1, 1, "higher"),
        Metric("sim", "SIM", DENSITY, 0, 1, "higher"),
        Metric("kl", "KL", DENSITY, 0, INFINITE, "lower"),
        Metric("mae", "MAE", DENSITY, 0, 1, "lower"),
        Metric("mse", "MSE", DENSITY, 0, 1, "lower"),
        Metric("ssim", "SSIM", DENSITY, -1, 1, "higher"),
        Metric("nss", "NSS", POINTS, -INFINITE, INFINITE, "higher"),
        Metric("auc_judd", "AUC-Judd", POINTS, 0, 1, "higher"),
        Metric("auc_borji", "AUC-Borji", POINTS, 0, 1, "higher"),
        Metric("sauc", "sAUC", POINTS, 0, 1, "higher"),
        Metric("information_gain", "IG (bits)", POINTS, -INFINITE, INFINITE, "higher"),
        Metric("insertion_auc", "insertion", NETWORK, 0, 1, "higher"),
        Metric("deletion_auc", "deletion", NETWORK, 0, 1, "lower"),
        Metric("average_drop", "average drop", NETWORK, 0, 1, "lower"),
        Metric("increase", "increase", NETWORK, 0, 1, "higher"),
        Metric("road", "ROAD", NETWORK, -1, 1, "higher"),
        Metric("mufidelity", "MuFidelity", NETWORK, -1, 1, "higher"),
        Metric("sensitivity", "sensitivity", NETWORK, 0, INFINITE, "lower"),
    )
}
FAITHFULNESS = {  # what --faithfulness asks for -> the metrics it sets
    "curves": ("insertion_auc", "deletion_auc"),
    "drop": ("average_drop", "increase"),
    "road": ("road",),
    "mufidelity": ("mufidelity",),
    "sensitivity": ("sensitivity",),
}


def names_against(ground_truth: str) -> list[str]:
    """The names of the metrics that are measured against DENSITY, POINTS or NETWORK."""
    return [metric.name for metric in METRICS.values() if metric.against == ground_truth]


def read_faithfulness(text: str) -> tuple[str, ...]:
    """The keys of `FAITHFULNESS` in 'curves,drop', 'ALL' or 'none'; ValueError lists the choices."""
    wanted = [name.strip().lower() for name in text.split(",") if name.strip()]
    if wanted == ["none"]:
        return ()
    if wanted == ["all"]:
        return tuple(FAITHFULNESS)
    unknown = [name for name in wanted if name not in FAITHFULNESS]
    if unknown or not wanted:
        from utils import suggest

        wrong = (unknown or [text])[0]
        if wrong in ("all", "none"):
            raise ValueError(f"{wrong!r} stands alone; got {text!r}")
        raise ValueError(f"unknown metric {wrong!r}; {suggest(wrong, [*FAITHFULNESS, 'ALL', 'none'])}")
    return tuple(name for name in FAITHFULNESS if name in wanted)
