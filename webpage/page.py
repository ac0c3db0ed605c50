"""What happens on the page: each handler answers one thing a visitor can do.

A question is answered in the background (case.py) while its handler, a generator, shows how far it is. Who asks
something new stops what they asked before.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

import constants
from data.dataset import Sample
from webpage.choices import read_classes, read_index, read_methods, read_seed, read_style
from webpage.follow import follow
from webpage.guard import FRAME, Requests
from webpage.html import show_classes, show_status
from webpage.layout import Layout
from webpage.maps import show_maps
from webpage.visitors import Visitor, Visitors

if TYPE_CHECKING:
    from network.classifier import Classifier
    from webpage.case import Case, MapRequest

FRAME_EVERY = 0.05  # seconds after which a browser sends the next frame of its camera, if it has an answer by then
KEEP_UPLOADS = 3600  # seconds after which the file of a photograph goes, though its visitor stays
NO_PHOTOGRAPH = "Drop, paste or take a photograph, or pick an example."
LOADING = "The network is loading …"
GAZE_WAITS = "The gaze density map is kept: now add its photograph."


class Page:
    """The page, made before its network is there: `model` will hold (Classifier, its source, its misfit methods).

    visitors: who is on it. samples: the examples, drawn and with simulated gaze.
    """

    def __init__(self, visitors: Visitors, samples: Sequence[Sample]):
        self.visitors, self.samples, self.model = visitors, samples, Future()
        cache = KEEP_UPLOADS // 6, KEEP_UPLOADS  # how often Gradio looks, and the age at which a file goes
        with gr.Blocks(title=constants.TITLE, analytics_enabled=False, delete_cache=cache) as self.blocks:
            self.at = Layout(samples)
            self._connect()
        visitors.uploads.sent = self.blocks.upload_file_set  # Gradio notes there what it receives
        self.blocks.queue(default_concurrency_limit=None)  # the executor of the visitors sets the limit

    @property
    def requests(self) -> Requests:
        """What may be asked of the page."""
        fields = {
            index: [
                FRAME if block is self.at.camera else block in (self.at.photo, self.at.density_map)
                for block in function.inputs
            ]
            for index, function in self.blocks.fns.items()
        }
        return Requests(fields, self.visitors.uploads.holds)

    @property
    def classifier(self) -> "Classifier":
        """The classifier, once it is loaded."""
        return self.model.result()[0]

    def _connect(self) -> None:
        # Values come as they were sent: a wrong one is told in the status, where Gradio would only log it.
        how = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "multiple", "preprocess": False}
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
            listen(self.on_style, [at.alpha, at.colormap, at.one_scale], [seen, at.maps, at.files], **how)
        at.camera.stream(
            self.on_frame,
            {at.camera, at.methods},
            [seen, at.live],
            stream_every=FRAME_EVERY,
            time_limit=None,
            api_visibility="private",
            show_progress="hidden",
            preprocess=False,
        )
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
        at, sent = self.at, data[self.at.photo]
        if sent is None:
            self.visitors.of(request.session_hash).forget()
            yield at.blank(NO_PHOTOGRAPH) | {at.density_map: None}
            return
        try:
            visitor, path = self.visitors.claim(request.session_hash, sent["path"])
        except ValueError as error:
            yield at.blank(str(error), wrong=True) | {at.photo: None}
            return
        if visitor.gaze is None:
            yield {at.density_map: None}
        yield from self._look_at(visitor, path, None, data)

    def show_example(self, event: gr.EventData) -> dict:
        """The pictures of an example: a file, unlike text, is safe only in an answer that nothing follows."""
        try:
            sample = self._example(event)
        except ValueError:
            return {self.at.photo: gr.skip()}  # `on_example` tells it
        return {self.at.photo: str(sample.path), self.at.density_map: str(sample.density_map_path)}

    def on_example(self, data: dict, event: gr.EventData, request: gr.Request) -> Iterator[dict]:
        """An example was picked; its gaze comes with it."""
        try:
            sample = self._example(event)
        except ValueError as error:
            yield {self.at.status: show_status(str(error), wrong=True)}
            return
        visitor = self.visitors.of(request.session_hash)
        visitor.gaze = None
        yield from self._look_at(visitor, sample.path, sample.density_map_path, data)

    def _example(self, event: gr.EventData) -> Sample:
        return self.samples[read_index("example", event._data.get("index"), len(self.samples))]

    def on_top_class(self, data: dict, event: gr.EventData, request: gr.Request) -> Iterator[dict]:
        """One of the most probable classes was chosen."""
        try:
            index = read_index("class", event._data.get("index"), len(self.classifier.class_names))
        except ValueError as error:
            yield {self.at.status: show_status(str(error), wrong=True)}
            return
        chosen = {self.at.class_index: index}
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

    def on_density_map(self, sent: dict | None, request: gr.Request) -> Iterator[dict]:
        """A gaze density map was dropped, or removed."""
        visitor, path = self.visitors.of(request.session_hash), None
        try:
            if sent is not None:
                visitor, path = self.visitors.claim(request.session_hash, sent["path"])
            if (case := visitor.case) is None:
                visitor.gaze = path
                yield {self.at.status: show_status(GAZE_WAITS if path else NO_PHOTOGRAPH)}
                return
            case.compare_with(path)
        except ValueError as error:
            yield {self.at.status: show_status(str(error), wrong=True), self.at.density_map: None}
            return
        yield from self._answer(visitor, case, case.ask_again())

    def _look_at(self, visitor: Visitor, path: Path, density_map_path: Path | None, data: dict) -> Iterator[dict]:
        token = visitor.forget()
        yield self.at.blank("Looking at the photograph …" if self.model.done() else LOADING)
        classifier = self.classifier  # waited for first: TensorFlow comes with what is imported here

        from webpage.case import Case

        try:
            case = Case(path, classifier, visitor.folder, density_map_path)
        except (ValueError, MemoryError) as error:
            yield self.at.blank(str(error), wrong=True) | {self.at.photo: None, self.at.density_map: None}
            return
        if visitor.token is not token:  # another photograph has come meanwhile
            return
        visitor.case, top = case, case.top_classes
        chosen = {self.at.class_index: next(iter(top))}
        yield chosen | {self.at.top_classes: show_classes(top, classifier.class_names, next(iter(top)))}
        gaze, visitor.gaze = visitor.gaze, None
        try:
            case.compare_with(gaze) if gaze else None
        except ValueError as error:
            yield {self.at.status: show_status(str(error), wrong=True), self.at.density_map: None}
            return
        yield from self._explain(visitor, data | chosen)

    def _explain(self, visitor: Visitor, data: dict) -> Iterator[dict]:
        at, case = self.at, visitor.case
        if case is None:
            yield {at.status: show_status(NO_PHOTOGRAPH)}
            return
        try:
            n_classes = len(case.classifier.class_names)
            classes = read_classes([data[at.class_index], data[at.second_class]], n_classes)
            texts = {key: data[field] for key, field in at.fields.items()}
            chosen = read_methods(data[at.methods], texts, case.classifier)
            question = case.ask(classes, chosen, read_seed(data[at.seed]))
        except ValueError as error:
            yield {at.status: show_status(str(error), wrong=True)}
            return
        yield from self._answer(visitor, case, question)

    def _answer(self, visitor: Visitor, case: "Case", question: "MapRequest") -> Iterator[dict]:
        work = visitor.begin(partial(case.answer, question), question.counts)
        yield from follow(visitor, case, work, self.at)

    def on_frame(self, data: dict, request: gr.Request) -> dict:
        """A frame of the camera: its classes and its map, computed in turn with what others ask."""
        at = self.at
        if data[at.camera] is None:
            return {at.live: ""}
        if not self.model.done():
            return {at.status: show_status(LOADING)}
        classifier, visitor = self.classifier, self.visitors.of(request.session_hash)

        from webpage.live import choose_method, read_frame, show_frame

        try:
            method = choose_method(data[at.methods] if isinstance(data[at.methods], list) else [], classifier)
            asked = read_frame(data[at.camera].get("url")), classifier, method, visitor.style, visitor.rate
            return {at.live: self.visitors.executor.submit(show_frame, *asked).result()}
        except (ValueError, MemoryError) as error:
            return {at.status: show_status(str(error), wrong=True)}

    # --- what is seen --------------------------------------------------------------------------------------

    def on_stop(self, request: gr.Request) -> None:
        """The button: the handler that follows the work says so once it has ended."""
        self.visitors.of(request.session_hash).stop()

    def on_style(self, alpha: float, colormap: str, one_scale: bool, request: gr.Request) -> dict:
        """The maps in other colours, without being computed again."""
        visitor = self.visitors.of(request.session_hash)
        try:
            visitor.style, visitor.one_scale = read_style(alpha, colormap), bool(one_scale)
        except ValueError as error:
            visitor.refused = True
            return {self.at.status: show_status(str(error), wrong=True)}
        told = {self.at.status: show_status("")} if visitor.refused else {}
        visitor.refused = False
        maps = show_maps(visitor.case, visitor.style, visitor.one_scale) if visitor.case else ""
        return told | {self.at.maps: maps, self.at.files: gr.update(value=None, visible=False)}

    def on_methods(self, names: list[str] | None) -> list:
        """The parameters of the chosen methods are shown, those of others hidden."""
        chosen = names if isinstance(names, list) else []
        return [gr.update(visible=name in chosen) for name in self.at.groups]

    def on_save(self, request: gr.Request) -> dict:
        """Maps and figures are written and offered."""
        visitor = self.visitors.of(request.session_hash)
        if visitor.case is None or not visitor.case.records():
            return {self.at.status: show_status(NO_PHOTOGRAPH)}
        paths = visitor.case.write_files(visitor.drawing_style())
        return {self.at.files: gr.update(value=[str(path) for path in paths], visible=True)}
