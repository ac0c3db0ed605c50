"""Figures as files: in one format or several, many items on pages, and none drawn again that would be the same."""

import glob
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import constants
from output.files import save_figure, write_whole

Draw = Callable[[], object]  # -> a matplotlib figure


class FigureFiles:
    """Writes figures in these formats, the best for a screen first, and knows what they were drawn from.

    formats: of `constants.FIGURE_FORMATS`. known: the file in which the states of the figures beside and below it are
    kept; None: every figure is drawn. To be closed, or used by `with`: then that file is written.
    """

    def __init__(self, formats: Sequence[str] = ("png",), known: Path | None = None):
        self.formats, self._known = tuple(formats), known
        self._before = _read_states(known)
        self._states = dict(self._before)

    def __enter__(self) -> "FigureFiles":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Writes what the figures were drawn from, those of earlier runs among them."""
        if self._known is not None and self._states != self._before:
            text = json.dumps(self._states, indent=0, ensure_ascii=True)
            write_whole(self._known, lambda path: path.write_text(text, encoding="ascii"))
            self._before = dict(self._states)

    def write(self, path: Path, draw: Draw, state: object = None) -> Path:
        """The path of a figure, with the ending of the first format, once it is written in all; `draw()` makes it.

        state: all that it shows, whose `repr` differs where the figure would; it is not drawn again if that is as it
        was and the files are there. None: it is drawn.
        """
        paths = [path.with_name(f"{path.name}.{one}") for one in self.formats]
        if not self._are_drawn(paths, state):
            figure = draw()
            for one in paths:
                write_whole(one, lambda partial: save_figure(figure, partial))
            self._note(paths, state)
        return paths[0]

    def write_by(self, path: Path, save: Callable[[Path], None], state: object = None) -> Path:
        """The path of a picture that `save` writes there, which is its whole name; state: as in `write`."""
        if not self._are_drawn([path], state):
            write_whole(path, save)
            self._note([path], state)
        return path

    def _are_drawn(self, paths: Sequence[Path], state: object) -> bool:
        """Whether the files are there and of that state."""
        if self._known is None or state is None:
            return False
        return all(self._states.get(self._name(path)) == _shorten(state) and path.is_file() for path in paths)

    def _note(self, paths: Sequence[Path], state: object) -> None:
        """The files are of that state from now on."""
        if self._known is not None and state is not None:
            self._states.update({self._name(path): _shorten(state) for path in paths})

    def _name(self, path: Path) -> str:
        return path.relative_to(self._known.parent).as_posix()


def _shorten(state: object) -> str:
    return hashlib.sha256(repr(state).encode(errors="surrogateescape")).hexdigest()[:16]


def _read_states(path: Path | None) -> dict[str, str]:
    """File -> the state of its figure; none if nothing is known: then all is drawn."""
    try:
        states = json.loads(path.read_text(encoding="ascii")) if path else {}
    except (OSError, ValueError):
        return {}
    return states if isinstance(states, dict) else {}


def write_pages(
    path: Path,
    items: Iterable,
    items_per_page: int,
    draw: Callable[[list], object],
    files: FigureFiles | None = None,
    state: Callable[[list], object] = lambda page: None,
) -> Iterator[Path]:
    """The paths of the figures that `draw(items of a page)` makes, as they are written: path, then <path>_2, _3, ...

    path: without the ending, which is that of the format. state: of a page, as `FigureFiles.write` takes it. When all
    are written, further pages that an earlier run of more items left are removed.
    """
    files = files or FigureFiles()
    items, number = iter(items), 0
    while page := list(itertools.islice(items, items_per_page)):
        number += 1
        name = path if number == 1 else path.with_name(f"{path.name}_{number}")
        yield files.write(name, lambda page=page: draw(page), state(page))
    for found in path.parent.glob(f"{glob.escape(path.name)}*"):
        counted = found.stem.removeprefix(path.name).removeprefix("_") or "1"
        if found.suffix[1:] in constants.FIGURE_FORMATS and counted.isdecimal() and int(counted) > number:
            found.unlink(missing_ok=True)
