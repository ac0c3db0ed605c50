"""What several methods of a run ask of the same images is computed once.

Grad-CAM and what grew from it need the same features and gradients, LIME and KernelSHAP the same superpixels, several
methods f(x) or f(black). Within `SharedAnswers.open` an answer is kept by its question and the arrays it is about, and
given again as it is, bit for bit; what it had cost is added up in `saved`, so that a record can still say what its
method costs alone. Outside of it nothing is kept.
"""

import contextlib
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

import keras
import numpy as np

MOST_BYTES = 2**28  # of all answers that are kept at a time; the oldest are forgotten first


class SharedAnswers:
    """Answers kept while a few images are explained by several methods.

    saved: 'seconds' and 'passes' that answers given again would have cost.
    """

    def __init__(self):
        self.saved = Counter()
        self._kept, self._is_open = {}, False

    @contextlib.contextmanager
    def open(self, is_open: bool = True) -> Iterator[None]:
        """Within it answers are kept, or for a while are not; the model should not change meanwhile."""
        before, self._is_open = self._is_open, is_open
        try:
            yield
        finally:
            self._is_open = before
            if not before:
                self._kept.clear()

    def ask(
        self,
        question: Hashable,
        arrays: Sequence[np.ndarray],
        compute: Callable,
        counts: Counter,
        further: Callable[[object], Iterable[tuple]] = lambda answer: (),
    ):
        """`compute()`, arrays in any nesting, or what it gave for the same question on equal arrays.

        counts: whose 'passes' are the forward passes so far. further: what finds in the answer those of other
        questions, each as (question, its arrays, its answer).
        """
        if not self._is_open:
            return compute()
        key = _key(question, arrays)
        if key in self._kept:
            answer, cost = self._kept[key]
            self.saved.update(cost)
            return answer
        begin, before = time.perf_counter(), counts["passes"]
        answer = compute()
        cost = {"seconds": time.perf_counter() - begin, "passes": counts["passes"] - before}
        self._keep(key, answer, cost)
        for other, about, found in further(answer):
            self._keep(_key(other, about), found, cost)
        return answer

    def _keep(self, key: tuple, answer, cost: dict[str, float]) -> None:
        """Keeps an answer, which nobody may write to."""
        for array in keras.tree.flatten(answer):
            array.flags.writeable = False
        self._kept[key] = answer, cost
        while self._kept and self._size() > MOST_BYTES:
            del self._kept[next(iter(self._kept))]

    def _size(self) -> int:
        arrays = (array for answer, _ in self._kept.values() for array in keras.tree.flatten(answer))
        return sum({id(array): array.nbytes for array in arrays}.values())  # several answers may hold one


def _key(question: Hashable, arrays: Sequence[np.ndarray]) -> tuple:
    digests = (hashlib.sha256(np.ascontiguousarray(array)).digest() for array in arrays)
    return question, *((np.shape(array), np.asarray(array).dtype.str, digest) for array, digest in zip(arrays, digests))
