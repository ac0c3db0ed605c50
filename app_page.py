"""What happens on the page: each handler answers one thing a visitor can do.

A question is answered in the background (app_case.py) while its handler, a generator, shows how far it is. Who asks
something new stops what they asked before.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

import constants
from app_choices import read_methods
from app_follow import follow
from app_html import show_classes, show_status
from app_layout import NO_CLASS, TITLE, Layout
from app_maps import show_maps
from app_visitors import Visitor, Visitors
from dataset import Sample
from display import Style

if TYPE_CHECKING:
    from app_case import Case, Question
    from classifier import Classifier

NO_PHOTOGRAPH = "Drop, paste or take a photograph, or pick an example."
LOADING = "The network is being loaded …"


class Page:
    """The page, made before its network is there: `model` will hold (Classifier, its source, its misfit methods).

    visitors: who is on it. samples: the examples, drawn and with simulated gaze.
    """

    def __init__(self, visitors: Visitors, samples: Sequence[Sample]):
        self.visitors, self.samples, self.model = visitors, samples, Future()
        often, age = constants.APP_KEEP_UPLOADS // 6, constants.APP_KEEP_UPLOADS
        with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(often, age)) as self.blocks:
            self.at = Layout(samples)
            self._connect()
        self.blocks.queue(default_concurrency_limit=None)  # the executor of the visitors sets the limit

    @property
    def classifier(self) -> "Classifier":
        """The classifier, once it is loaded."""
        return self.model.result()[0]

    def _connect(self) -> None:
        how = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "multiple"}
        at, seen = self.at, self.at.status
        question = {at.class_index, at.second_class, at.methods, at.seed, *at.fields.values()}
        answer = [seen, at.stop, at.maps, at.files, at.photo, at.density_map, at.top_classes, at.class_index]
        about = [seen, at.class_index, at.second_class, at.methods, at.choices]
        self.blocks.load(self.on_load, None, about, **how)
        self.blocks.unload(self.on_leave)
        at.photo.input(self.on_photograph, {at.photo, *question}, answer, **how)
        at.examples.click(self.show_example, None, [at.photo, at.density_map], **how)
        at.examples.click(self.on_example, question, answer, **how)
        at.top_classes.click(self.on_top_class, question, answer, **how)
        for listen in (at.class_index.input, at.second_class.input, at.explain.click):
            listen(self.on_question, question, answer, **how)
        at.measure.click(self.on_measure, None, answer, **how)
        at.density_map.input(self.on_density_map, at.density_map, answer, **how)
        at.stop.click(self.on_stop, None, None, **how)
        at.methods.change(self.on_methods, at.methods, list(at.groups.values()), **how)
        how["trigger_mode"] = "always_last"
        for listen in (at.alpha.change, at.colormap.change, at.one_scale.change):
            listen(self.on_style, [at.alpha, at.colormap, at.one_scale], [at.maps, at.files], **how)
        at.save.click(self.on_save, None, [seen, at.files], **how)

    # --- coming and going ----------------------------------------------------------------------------------

    def on_load(self) -> Iterator[dict]:
        """The page is opened: what depends on the network is filled in once it is there."""
        at = self.at
        if not self.model.done():
            yield {at.status: show_status(LOADING)}
        yield {at.status: show_status(NO_PHOTOGRAPH)} | at.filled(*self.model.result())

    def on_leave(self, request: gr.Request) -> None:
        """The page is closed."""
        self.visitors.leave(request.session_hash)

    # --- questions -----------------------------------------------------------------------------------------

    def on_photograph(self, data: dict, request: gr.Request) -> Iterator[dict]:
        """A photograph was dropped, pasted, taken, or removed."""
        at, visitor, path = self.at, self.visitors.of(request.session_hash), data[self.at.photo]
        if path is None:
            visitor.forget()
            yield self.at.blank(NO_PHOTOGRAPH) | {at.density_map: None}
            return
        visitor.uploads.add(Path(path))
        yield {at.density_map: None}
        yield from self._look_at(visitor, Path(path), None, data)

    def show_example(self, event: gr.EventData) -> dict:
        """The pictures of an example: a file, unlike text, is safe only in an answer that nothing follows."""
        sample = self.samples[event.index]
        return {self.at.photo: str(sample.path), self.at.density_map: str(sample.density_map_path)}

    def on_example(self, data: dict, event: gr.EventData, request: gr.Request) -> Iterator[dict]:
        """An example was picked; its gaze comes with it."""
        sample, visitor = self.samples[event.index], self.visitors.of(request.session_hash)
        yield from self._look_at(visitor, sample.path, sample.density_map_path, data)

    def on_top_class(self, data: dict, event: gr.EventData, request: gr.Request) -> Iterator[dict]:
        """One of the most probable classes was chosen."""
        chosen = {self.at.class_index: int(event.index)}
        yield chosen
        yield from self._explain(self.visitors.of(request.session_hash), data | chosen)

    def on_question(self, data: dict, request: gr.Request) -> Iterator[dict]:
        """Another class, a second one, or the button: whatever is asked now is explained."""
        visitor, chosen = self.visitors.of(request.session_hash), data[self.at.class_index]
        if visitor.case is not None:
            top = show_classes(visitor.case.top_classes, self.classifier.class_names, chosen)
            yield {self.at.top_classes: top}
        yield from self._explain(visitor, data)

    def on_measure(self, request: gr.Request) -> Iterator[dict]:
        """Insertion and deletion are asked for."""
        visitor = self.visitors.of(request.session_hash)
        if (case := visitor.case) is None:
            yield {self.at.status: show_status(NO_PHOTOGRAPH)}
            return
        yield from self._answer(visitor, case, case.ask_again(("curves",)))

    def on_density_map(self, path: str | None, request: gr.Request) -> Iterator[dict]:
        """A gaze density map was dropped, or removed."""
        visitor = self.visitors.of(request.session_hash)
        visitor.uploads |= {Path(path)} if path else set()
        if (case := visitor.case) is None:
            yield {self.at.status: show_status(NO_PHOTOGRAPH)}
            return
        try:
            case.compare_with(path and Path(path))
        except ValueError as error:
            yield {self.at.status: show_status(str(error), wrong=True), self.at.density_map: None}
            return
        yield from self._answer(visitor, case, case.ask_again())

    def _look_at(
        self, visitor: Visitor, path: Path, density_map_path: Path | None, data: dict
    ) -> Iterator[dict]:
        turn = visitor.forget()
        yield self.at.blank("Looking at the photograph …" if self.model.done() else LOADING)
        classifier = self.classifier  # waited for first: TensorFlow comes with what is imported here

        from app_case import Case

        try:
            case = Case(path, classifier, visitor.folder, density_map_path)
        except (ValueError, MemoryError) as error:
            yield self.at.blank(str(error), wrong=True) | {self.at.photo: None, self.at.density_map: None}
            return
        if visitor.turn is not turn:  # another photograph has come meanwhile
            return
        visitor.case, top = case, case.top_classes
        chosen = {self.at.class_index: next(iter(top))}
        yield chosen | {self.at.top_classes: show_classes(top, classifier.class_names, next(iter(top)))}
        yield from self._explain(visitor, data | chosen)

    def _explain(self, visitor: Visitor, data: dict) -> Iterator[dict]:
        at, case = self.at, visitor.case
        if case is None:
            yield {at.status: show_status(NO_PHOTOGRAPH)}
            return
        classes = dict.fromkeys([data[at.class_index], data[at.second_class]])
        classes = [index for index in classes if index not in (None, NO_CLASS)]
        try:
            if not classes:
                raise ValueError("choose a class")
            texts = {key: data[field] for key, field in at.fields.items()}
            chosen = read_methods(data[at.methods], texts, case.classifier)
            question = case.ask(classes, chosen, int(data[at.seed] or 0))
        except ValueError as error:
            yield {at.status: show_status(str(error), wrong=True)}
            return
        yield from self._answer(visitor, case, question)

    def _answer(self, visitor: Visitor, case: "Case", question: "Question") -> Iterator[dict]:
        work = visitor.begin(partial(case.answer, question), question.counts)
        yield from follow(visitor, case, work, self.at)

    # --- what is seen --------------------------------------------------------------------------------------

    def on_stop(self, request: gr.Request) -> None:
        """The button: the handler that follows the work says so once it has ended."""
        self.visitors.of(request.session_hash).stop()

    def on_style(self, alpha: float, colormap: str, one_scale: bool, request: gr.Request) -> dict:
        """The maps in other colours, without being computed again."""
        visitor = self.visitors.of(request.session_hash)
        visitor.style, visitor.one_scale = Style(colormap, alpha), one_scale
        maps = show_maps(visitor.case, visitor.style, one_scale) if visitor.case else ""
        return {self.at.maps: maps, self.at.files: gr.update(value=None, visible=False)}

    def on_methods(self, names: list[str]) -> list:
        """The parameters of the chosen methods are shown, those of others hidden."""
        return [gr.update(visible=name in names) for name in self.at.groups]

    def on_save(self, request: gr.Request) -> dict:
        """Maps and figures are written and offered."""
        visitor = self.visitors.of(request.session_hash)
        if visitor.case is None or not visitor.case.records():
            return {self.at.status: show_status(NO_PHOTOGRAPH)}
        paths = visitor.case.write_files(visitor.look())
        return {self.at.files: gr.update(value=[str(path) for path in paths], visible=True)}
