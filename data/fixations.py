"""Where people looked in one image: the fixations of every observer, and what is known of them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

PIXELS, FRACTION, CENTRED, SCREEN = "pixels", "fraction", "centred", "screen"
UNITS = (PIXELS, FRACTION)  # what --fixations_unit can say


@dataclass(frozen=True, eq=False)
class Fixations:
    """The M fixations of one image, each observer's in the order of time.

    points: float64 (M, 2) as (x, y), x to the right and y down, in `unit`. observers: int (M,), from 0.
    durations: float64 (M,) in ms, NaN where one is missing; None if the file has none. n_observers: how many looked
    at the image, those without a fixation too where the files tell (an empty scan path). observers_known: if not,
    all count as one observer's. n_outside: how many `inside` has dropped. n_blinks: how many the file has without a
    place; they are not among the M.
    unit: PIXELS of the image, pixel i being the one around x = i; FRACTION of its sides; CENTRED, pixels from its
    centre; SCREEN, pixels of a screen of `screen` (height, width). All but `in_pixels` wants PIXELS.
    """

    points: np.ndarray
    observers: np.ndarray
    durations: np.ndarray | None
    n_observers: int
    observers_known: bool = True
    n_outside: int = 0
    n_blinks: int = 0
    unit: str = PIXELS
    screen: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.points)

    def in_pixels(self, height: int, width: int, image: str = "") -> "Fixations":
        """The fixations in pixels of their image; ValueError, naming it, if they are of a screen of another size."""
        size = np.array([width, height])
        if self.unit == SCREEN and self.screen != (height, width):
            raise ValueError(
                f"fixations: those of '{image}' are in pixels of a screen of {self.screen[1]} x {self.screen[0]}, the "
                f"image has {width} x {height}, and nothing says where it stood: --fixations_unit=pixels takes "
                "them as pixels of the image"
            )
        points = {FRACTION: self.points * size, CENTRED: self.points + size / 2}.get(self.unit, self.points)
        return replace(self, points=points, unit=PIXELS, screen=None)

    def inside(self, height: int, width: int) -> "Fixations":
        """The fixations with 0 <= x < width and 0 <= y < height; an observer who has none left still counts."""
        kept = ((self.points >= 0) & (self.points < (width, height))).all(axis=1)
        return replace(
            self,
            points=self.points[kept],
            observers=self.observers[kept],
            durations=None if self.durations is None else self.durations[kept],
            n_outside=self.n_outside + int((~kept).sum()),
        )

    def by_observer(self) -> list[np.ndarray]:
        """The points (m, 2) of every observer, those without a fixation among them."""
        return [self.points[self.observers == observer] for observer in range(self.n_observers)]

    @property
    def n_blank(self) -> int:
        """How many observers have no fixation."""
        return self.n_observers - len(np.unique(self.observers))

    @property
    def n_repeated(self) -> int:
        """How many fixations are at the very place of an earlier one of the same observer."""
        return sum(len(points) - len(np.unique(points, axis=0)) for points in self.by_observer())

    @property
    def n_without_duration(self) -> int | None:
        """How many have a duration that is missing or not above 0; None if the file has no durations at all."""
        return None if self.durations is None else int((~(self.durations > 0)).sum())


def gather_fixations(
    rows: Iterable[tuple[str, float, float, float]],
    *,
    timed: bool = True,
    observers: Iterable[str] = (),
    known: bool = True,
    n_blinks: int = 0,
    unit: str = PIXELS,
    screen: tuple[int, int] | None = None,
) -> Fixations:
    """The fixations of one image from rows of (observer, x, y, duration in ms).

    A row whose x or y is NaN is a blink: dropped and counted, beside `n_blinks` that are no rows. timed: whether
    durations are known. observers: who looked, in order, for those that have no row. known: whether rows say whose
    they are.
    """
    rows = list(rows)
    numbers = {name: number for number, name in enumerate(dict.fromkeys([*observers, *(row[0] for row in rows)]))}
    values = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, 3)
    seen = np.isfinite(values[:, :2]).all(axis=1)
    return Fixations(
        values[seen, :2],
        np.array([numbers[row[0]] for row in rows], dtype=int)[seen],
        values[seen, 2] if timed else None,
        len(numbers),
        known,
        n_blinks=n_blinks + int((~seen).sum()),
        unit=unit,
        screen=screen,
    )
