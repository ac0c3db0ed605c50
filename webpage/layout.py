"""What stands on the page: its fields, buttons and places for answers. What happens with them is in page.py."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import gradio as gr

import constants
from data.dataset import Sample
from explainers.registry import METHODS, Method, Option
from webpage.choices import COLORMAPS, NO_CLASS, first_text, list_choices
from webpage.html import show_status, show_table
from webpage.maps import show_examples

if TYPE_CHECKING:
    from network.classifier import Classifier

FONTS = ("system-ui", "Segoe UI", "Roboto", "Helvetica", "Arial", "sans-serif")  # of the reader's machine
FIRST_METHODS = ("GRADCAM",)
CAMERA = {"width": 400, "height": 300}  # pixels asked of a browser: a frame fits into a request of `guard.MAX_REQUEST`
SUBTITLE = "Drop a photograph: the network says what it sees, and the map shows what in it speaks for that."
PICK = """element.addEventListener('{event}', event => {{
    const picked = event.target.closest('{tag}');
    if (picked) trigger('click', {{index: Number(picked.value)}});
}})"""


class Layout:
    """The components of the page, made within a `gr.Blocks`; examples: samples to pick from."""

    def __init__(self, examples: Sequence[Sample]):
        gr.HTML(f"<h1>{constants.TITLE}</h1><p>{SUBTITLE}</p>", elem_id="title")
        with gr.Row(elem_id="columns"):
            with gr.Column(scale=2, min_width=320):
                self._question(examples)
            with gr.Column(scale=5, min_width=320):
                self._answers()

    def _question(self, examples: Sequence[Sample]) -> None:
        self.photo = gr.Image(
            label="Photograph",
            sources=["upload", "webcam", "clipboard"],
            type="filepath",
            image_mode=None,
            height=300,
            buttons=["fullscreen"],
            elem_id="photo",
            alt_text="the photograph that is explained",
            placeholder="Drop a photograph\nor click to choose one",
        )
        pick = {tag: PICK.format(event=event, tag=tag) for tag, event in (("button", "click"), ("input", "change"))}
        self.examples = gr.HTML(show_examples(examples), js_on_load=pick["button"], elem_id="examples")
        self.top_classes = gr.HTML(js_on_load=pick["input"], elem_id="top-classes")
        self.class_index = gr.Dropdown(
            label="Class to explain", info="type a part of any name", choices=[], value=None, elem_id="class"
        )
        self.second_class = gr.Dropdown(
            label="Compared with", choices=[("no other class", NO_CLASS)], value=NO_CLASS, elem_id="second-class"
        )
        self.methods = gr.Dropdown(
            label="Methods",
            info="side by side",
            choices=list(METHODS),
            value=list(FIRST_METHODS),
            multiselect=True,
            elem_id="methods",
        )
        with gr.Accordion("Parameters", open=False):
            gr.Markdown("Fast at first; an empty field is the default of `main.py`.")
            self.groups: dict[str, gr.Group] = {}
            self.fields: dict[tuple[str, str], gr.components.Component] = {}
            for method in METHODS.values():
                if method.options:
                    with gr.Group(visible=method.name in FIRST_METHODS) as self.groups[method.name]:
                        for option in method.options:
                            self.fields[method.name, option.name] = _field(method, option)
            self.seed = gr.Number(label="seed", info="of all that is random", value=constants.SEED, elem_id="seed")
        self.explain = gr.Button("Explain", variant="primary", elem_id="explain")

    def _answers(self) -> None:
        with gr.Row(elem_id="progress"):
            self.status = gr.HTML(elem_id="status")
            self.stop = gr.Button("Stop", variant="stop", interactive=False, elem_id="stop", scale=0, min_width=90)
        self.maps = gr.HTML(elem_id="maps")
        with gr.Row():
            self.alpha = gr.Slider(0, 1, constants.ALPHA, step=0.05, label="Opacity", elem_id="alpha")
            self.colormap = gr.Dropdown(
                label="Colour map", choices=list(COLORMAPS), value=constants.COLORMAP, elem_id="colormap"
            )
            self.one_scale = gr.Checkbox(label="One colour scale for both classes", value=True, elem_id="one-scale")
        with gr.Row():
            self.measure = gr.Button("Insertion and deletion curves", elem_id="measure")
            self.save = gr.Button("Maps and figures to download", elem_id="save")
        self.files = gr.File(
            label="Raw maps (.npy) and figures (.png)",
            file_count="multiple",
            interactive=False,
            visible=False,
            elem_id="files",
        )
        with gr.Accordion("Where people looked", open=False, elem_id="gaze-part"):
            self.density_map = gr.Image(
                label="Gaze density map, grey",
                sources=["upload", "clipboard"],
                type="filepath",
                image_mode=None,
                height=220,
                buttons=[],
                elem_id="gaze",
                alt_text="the gaze density map of the photograph",
                placeholder="Drop the gaze density map\nof this photograph for PCC and SIM",
            )
        with gr.Accordion("Live, from the camera", open=False, elem_id="live-part"), gr.Row():
            self.camera = gr.Image(
                label="Camera",
                sources=["webcam"],
                streaming=True,
                height=300,
                buttons=[],
                webcam_options=gr.WebcamOptions(constraints={"video": CAMERA}),
                elem_id="camera",
                alt_text="what the camera sees",
            )
            self.live = gr.HTML(elem_id="live")
        with gr.Accordion("What was chosen", open=True):
            self.choices = gr.HTML(elem_id="choices")

    def filled(self, classifier: "Classifier", source: str, misfits: dict[Method, str]) -> dict:
        """Component -> what it shows once the network is there: its classes, its methods, and what was chosen."""
        counts, names = Counter(classifier.class_names), enumerate(classifier.class_names)
        classes = [(name if counts[name] == 1 else f"{name} ({index})", index) for index, name in names]
        words = {name.replace("_", " "): value for name, value in classifier.describe().items()}
        without = {f"without {method.name}": reason for method, reason in misfits.items()}
        fitting = [method.name for method in METHODS.values() if method not in misfits]
        return {
            self.class_index: gr.update(choices=classes),
            self.second_class: gr.update(choices=[("no other class", NO_CLASS), *classes]),
            self.methods: gr.update(choices=fitting),
            self.choices: show_table({"source": source, **words, **without}),
        }

    def blank(self, message: str, *, wrong: bool = False) -> dict:
        """Component -> what it shows when there is nothing to show but a message."""
        return {
            self.status: show_status(message, wrong=wrong),
            self.stop: gr.update(interactive=False),
            self.maps: "",
            self.files: gr.update(value=None, visible=False),
            self.top_classes: "",
            self.class_index: None,
        }


def _field(method: Method, option: Option) -> gr.components.Component:
    """The field of one option, holding its first text."""
    settings = {
        "label": f"{method.name} {option.name}",
        "info": option.help,
        "value": first_text(method, option),
        "elem_id": f"{method.name}-{option.name}",
    }
    choices = list_choices(option)
    if choices is not None:
        return gr.Dropdown(choices=choices, **settings)
    return gr.Textbox(placeholder="as main.py", max_lines=1, **settings)


def make_theme() -> gr.themes.Base:
    """Quiet colours, and the fonts that the reader's machine has: none is fetched."""
    theme = gr.themes.Default(
        primary_hue="blue", neutral_hue="slate", font=list(FONTS), font_mono=["ui-monospace", "monospace"]
    )
    blue = constants.COLOUR_INSERTION
    return theme.set(button_primary_background_fill=blue, button_primary_background_fill_dark=blue)
