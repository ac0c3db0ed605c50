"""The page without a browser: work that is watched and stopped, answers and their files, choices, HTML, the guard."""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from planted import BLUE, COLOURS, GREEN, RED, ROOT, SIDE, picture, square

import constants
import main
from explainers.registry import METHODS
from gradcam import GradCAM
from pipeline.run_figures import Style
from rise import RISE
from webpage import html as app_html
from webpage import maps as app_maps
from webpage.app_questions import Questions
from webpage.case import Case
from webpage.choices import (
    first_text,
    list_choices,
    read_classes,
    read_index,
    read_methods,
    read_options,
    read_seed,
    read_style,
)
from webpage.guard import Guard
from webpage.visitors import Visitors
from webpage.work import Stopped, Watch, Work, watched

GRADCAM, FEM, RISE_, LIME = (METHODS[name] for name in ("GRADCAM", "FEM", "RISE", "LIME"))
OPTIONS = {"n_masks": 60, "mask_size": 4, "threshold": 0.5, "variant": "paper"}


@pytest.fixture
def photograph(tmp_path):
    """A file with a red and a green square on grey."""
    path = tmp_path / "a photograph.png"
    Image.fromarray(picture(RED, GREEN)).save(path)
    return path


@pytest.fixture
def case(photograph, planted_classifier, tmp_path):
    return Case(photograph, planted_classifier, tmp_path / "files")


@pytest.fixture
def visitors(tmp_path):
    visitors = Visitors(tmp_path)
    yield visitors
    visitors.close()


def ask(case, classes, chosen, seed=0):
    question = case.ask(classes, chosen, seed)
    case.answer(question, Watch(question.counts))
    return question


# --- work --------------------------------------------------------------------------------------------------
def test_work_that_is_stopped_ends_at_its_next_report():
    reached, going_on = threading.Event(), threading.Event()

    def compute(watch):
        watch.begin("RISE", "a.png")
        reached.set()
        going_on.wait(10)
        watch.within(1, 4)
        raise AssertionError("it went on")

    with ThreadPoolExecutor(1) as executor:
        work = Work(executor, compute, {"RISE": 1})
        assert reached.wait(10) and not work.wait(0)
        work.stop()
        going_on.set()
        with pytest.raises(Stopped):
            work.future.result(10)
        assert work.wait(0)


def test_work_that_is_stopped_before_its_turn_is_never_begun():
    turn, begun = threading.Event(), []
    with ThreadPoolExecutor(1) as executor:
        first = Work(executor, lambda watch: turn.wait(10), {})
        second = Work(executor, lambda watch: begun.append(1), {})
        second.stop()
        turn.set()
        assert first.future.result(10) is True
        with pytest.raises(Stopped):
            second.future.result(10)
    assert begun == []


def test_a_watch_knows_its_share_and_the_seconds_left(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    watch = Watch({"RISE": 2})
    assert watch.seconds_left() is None and watch.share() == 0
    watch.begin("RISE", "a.png")
    clock[0] += 3
    watch.within(1, 4)
    assert watch.share() == pytest.approx(1 / 8)
    assert watch.seconds_left() == pytest.approx(12 * 2 - 3)  # 3 s for a quarter: 12 s each
    watch.end("RISE", "a.png", 12.0)
    watch.begin("RISE", "b.png")
    assert watch.share() == pytest.approx(1 / 2)
    assert watch.seconds_left() == pytest.approx(12)


def test_predictions_of_a_watched_classifier_are_the_same_and_can_be_stopped(planted_classifier, image):
    watch = Watch({"GRADCAM": 1})
    watch.begin("GRADCAM", "a.png")
    twin, batch = watched(planted_classifier, watch, 4), np.stack([image, image]).astype(np.float32)
    assert np.array_equal(twin.predict(batch), planted_classifier.predict(batch))
    twin.predict(batch)
    assert watch.share() == pytest.approx(2 / 4)  # of what was done before the last batch
    watch.stopped.set()
    with pytest.raises(Stopped):
        twin.predict(batch)
    assert planted_classifier.predict(batch).shape == (2, 3)


# --- a photograph and what is asked about it -----------------------------------------------------------------
def test_the_most_probable_classes_come_first(case, planted_classifier, image):
    probabilities = planted_classifier.predict(image[None].astype(np.float32))[0]
    assert list(case.top_classes) == list(np.argsort(-probabilities, kind="stable"))
    assert list(case.top_classes.values()) == pytest.approx(sorted(probabilities, reverse=True))


def test_maps_are_those_of_the_explainers(case, planted_classifier, image):
    ask(case, [RED, GREEN], {GRADCAM: {"variant": "paper"}, RISE_: OPTIONS}, seed=5)
    for class_index in (RED, GREEN):
        expected = {
            "GRADCAM": GradCAM(planted_classifier, None, image, class_index).compute_saliency_map(),
            "RISE": RISE(planted_classifier, None, image, class_index, seed=5, **OPTIONS).compute_saliency_map(),
        }
        for name, saliency_map in expected.items():
            assert np.array_equal(case.answers[class_index].maps[name], saliency_map)
    assert case.answers[GREEN].maps["GRADCAM"][square(GREEN)].mean() > 0
    assert case.answers[GREEN].maps["GRADCAM"][square(RED)].mean() == 0


def test_what_was_asked_before_is_not_computed_again_until_an_option_or_the_seed_changes(case):
    assert ask(case, [RED], {RISE_: OPTIONS}).counts == {"RISE": 1}
    first = case.answers[RED].maps["RISE"]
    assert case.ask([RED], {RISE_: OPTIONS}, 0).asked == {}
    both = {RISE_: OPTIONS, GRADCAM: {"variant": "paper"}}
    assert case.ask([RED, GREEN], both, 0).counts == {"RISE": 1, "GRADCAM": 2}
    assert ask(case, [RED], {RISE_: OPTIONS}, seed=1).counts == {"RISE": 1}
    assert not np.array_equal(case.answers[RED].maps["RISE"], first)
    assert ask(case, [RED], {RISE_: {**OPTIONS, "n_masks": 61}}, seed=1).counts == {"RISE": 1}


def test_a_method_without_classes_has_one_map_for_two(case):
    ask(case, [GREEN, RED], {FEM: {"k": 2.0}, GRADCAM: {"variant": "paper"}})
    assert list(case.shown) == [(GREEN, "FEM"), (GREEN, "GRADCAM"), (RED, "GRADCAM")]


def test_stopping_keeps_what_was_finished_and_the_rest_can_be_asked_again(case):
    question = case.ask([RED], {GRADCAM: {"variant": "paper"}, RISE_: OPTIONS}, 0)

    class Impatient(Watch):
        def within(self, done, total):
            self.stopped.set()
            super().within(done, total)

    with pytest.raises(Stopped):
        case.answer(question, Impatient(question.counts))
    assert [record.method for _, record in case.records()] == ["GRADCAM"]
    assert case.ask_again().counts == {"RISE": 1}


def test_curves_are_measured_when_they_are_asked_for_and_once(case):
    ask(case, [RED], {GRADCAM: {"variant": "paper"}})
    ((_, record),) = case.records()
    assert record.insertion_auc is None
    question = case.ask_again(("curves",))
    before = case.answers[RED].maps["GRADCAM"]
    case.answer(question, Watch(question.counts))
    ((_, record),) = case.records()
    assert record.insertion_auc > record.deletion_auc
    assert case.answers[RED].maps["GRADCAM"] is before
    fractions, inserted, deleted = case.answers[RED].read_curves(record)
    assert len(fractions) == len(inserted) == len(deleted) == SIDE + 1
    assert case.ask_again(("curves",)).asked == {}


def test_gaze_is_compared_with_what_is_there_and_forgotten_with_its_file(case, tmp_path):
    ask(case, [RED], {GRADCAM: {"variant": "paper"}})
    saliency_map, gaze = case.answers[RED].maps["GRADCAM"], tmp_path / "gaze.png"
    Image.fromarray(np.rint(255 * saliency_map / saliency_map.max()).astype(np.uint8)).save(gaze)
    case.compare_with(gaze)
    question = case.ask_again()
    case.answer(question, Watch(question.counts))
    ((_, record),) = case.records()
    assert record.pcc > 0.999 and record.sim > 0.99
    case.compare_with(None)
    ((_, record),) = case.records()
    assert record.pcc is None and case.ask_again().asked == {}


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda path: Image.new("L", (30, 90)).save(path), "not the same shape"),
        (lambda path: path.write_text("no image"), "cannot read 'gaze.png': not an image"),
    ],
)
def test_a_density_map_that_cannot_be_used_is_refused_without_its_folder(case, tmp_path, make, message):
    make(tmp_path / "gaze.png")
    with pytest.raises(ValueError, match=message) as refused:
        case.compare_with(tmp_path / "gaze.png")
    assert str(tmp_path) not in str(refused.value) and case.density_map_path is None


def test_a_photograph_that_cannot_be_read_is_refused_without_its_folder(planted_classifier, tmp_path):
    path = tmp_path / "huge.png"
    Image.new("1", (10_000, 10_000)).save(path)
    with pytest.raises(ValueError, match="'huge.png': more than the 50000000 pixels") as refused:
        Case(path, planted_classifier, tmp_path)
    assert str(tmp_path) not in str(refused.value)


def test_files_are_the_raw_maps_and_the_figures(case, photograph):
    ask(case, [RED, GREEN], {GRADCAM: {"variant": "paper"}})
    photograph.unlink()  # an upload may be gone by then
    paths = case.write_files(Style())
    names = [f"GRADCAM_{index}_a photograph{ending}" for index in (RED, GREEN) for ending in (".npy", ".png")]
    assert [path.name for path in paths] == names
    assert np.array_equal(np.load(paths[2]), case.answers[GREEN].maps["GRADCAM"])
    assert Image.open(paths[3]).size[0] > 500


# --- choices -------------------------------------------------------------------------------------------------
def test_empty_fields_are_the_defaults_of_main():
    for method in METHODS.values():
        defaults = {option.name: option.default for option in method.options}
        assert read_options(method, {}) == read_options(method, dict.fromkeys(defaults, " ")) == defaults


def test_first_texts_are_read_as_they_stand_and_differ_from_main_only_where_they_are_faster():
    for method in METHODS.values():
        texts = {option.name: first_text(method, option) for option in method.options}
        expected = {option.name: option.default for option in method.options} | constants.APP_FAST.get(method.name, {})
        assert read_options(method, texts) == expected
        for option in method.options:
            assert list_choices(option) is None or texts[option.name] in list_choices(option)


def test_options_are_read_as_the_flags_of_main():
    args = main.build_parser().parse_args(
        ["--explanation_method=LIME", "--lime_hide_color=10,20,30", "--lime_hide_rest=yes", "--lime_num_samples=7"]
    )
    texts = {"hide_color": "10,20,30", "hide_rest": "yes", "num_samples": "7"}
    assert read_options(LIME, texts) == main.choose_options(args)[LIME]


@pytest.mark.parametrize(
    "method, texts, message",
    [
        (RISE_, {"n_masks": "many"}, "RISE, n_masks: a number is wanted, not 'many'"),
        (RISE_, {"n_masks": "100000"}, "RISE, n_masks: the page takes 5000 at most"),
        (RISE_, {"variant": "mine"}, "RISE, variant: one of paper, lab is wanted"),
        (RISE_, {"mask_size": "many"}, "RISE, mask_size: a number is wanted"),
        (LIME, {"hide_color": "red"}, "LIME, hide_color: 'mean', a grey value"),
    ],
)
def test_a_wrong_option_is_named(method, texts, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_options(method, texts)


def test_what_the_explainer_refuses_is_told_before_it_begins(planted_classifier):
    with pytest.raises(ValueError, match=r"RISE: threshold.*\(0, 1\]"):
        read_methods(["RISE"], {("RISE", "threshold"): "2"}, planted_classifier)
    with pytest.raises(ValueError, match="choose a method"):
        read_methods([], {}, planted_classifier)
    for names in ("GRADCAM", 5, {"GRADCAM": 1}, ["NONE"], [None]):
        with pytest.raises(ValueError, match="methods: a list of"):
            read_methods(names, {}, planted_classifier)


def test_masks_are_no_finer_than_the_pixels_and_fit_into_memory(planted_classifier):
    def read(n_masks, mask_size):
        texts = {("RISE", "n_masks"): str(n_masks), ("RISE", "mask_size"): str(mask_size)}
        return read_methods(["RISE"], texts, planted_classifier)

    assert read(1, SIDE)[RISE_]["mask_size"] == SIDE
    with pytest.raises(ValueError, match=f"mask_size: {SIDE} at most"):
        read(1, SIDE + 1)
    most = constants.APP_MAX_CELLS // SIDE**2
    assert read(most, SIDE)
    with pytest.raises(ValueError, match=f"n_masks: the page takes {most} at most with a mask_size of {SIDE}"):
        read(most + 1, SIDE)


@pytest.mark.parametrize(
    "read, values, message",
    [
        (read_seed, (-5, 99999999999, None, "", "7", True, [1]), "seed: a number from 0 to 4294967295"),
        (read_seed, (0.5, float("inf"), float("nan")), "seed: a whole number is wanted, not"),
        (lambda value: read_style(value, "jet"), (7, -0.1, None, "1"), "Opacity: a number from 0 to 1 is wanted, not"),
        (lambda value: read_style(0.5, value), ("pink", None, [], 3), "Colour map: one of jet, .* is wanted, not"),
        (
            lambda value: read_index("example", value, 6),
            (6, -1, None, "0", 0.0, True),
            "example: one of the 6 on the page",
        ),
        (lambda value: read_classes([value, None], 3), (3, -2, "0", [0], {}), "class: one of the 3 on the page"),
        (lambda value: read_classes([value, -1], 3), (None, -1), "choose a class"),
    ],
)
def test_a_wrong_choice_is_told(read, values, message):
    for value in values:
        with pytest.raises(ValueError, match=message):
            read(value)


def test_right_choices_are_read():
    assert read_seed(7.0) == 7 and read_seed(2**32 - 1) == 2**32 - 1
    assert read_style(1, "gray") == Style("gray", 1)
    assert read_classes([2, 0], 3) == [2, 0] and read_classes([1, 1], 3) == [1] and read_classes([1, -1], 3) == [1]


# --- HTML ----------------------------------------------------------------------------------------------------
class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def test_names_are_text_and_never_tags():
    evil = '<script>alert(1)</script>" onload="x'
    for page in (
        app_html.show_status(evil),
        app_html.show_table({evil: evil}),
        app_html.show_classes({0: 0.5}, [evil], 0),
        app_html.show_image(b"", "png", evil),
    ):
        tags = Tags(page)
        assert not tags.all("script") and not any("onload" in attrs for _, attrs in tags.tags)


def test_the_list_of_classes_is_one_group_with_a_bar_behind_each():
    tags = Tags(app_html.show_classes({2: 0.75, 0: 0.25}, COLOURS, chosen=0))
    assert [(field["value"], "checked" in field) for field in tags.all("input")] == [("2", False), ("0", True)]
    assert len({field["name"] for field in tags.all("input")}) == 1
    assert [label["style"] for label in tags.all("label")] == ["--share: 75.0%", "--share: 25.0%"]
    assert "".join(tags.text) == "Most probable classesblue0.75red0.25"


def test_every_picture_of_a_map_says_what_it_shows(case):
    ask(case, [RED, GREEN], {GRADCAM: {"variant": "paper"}, LIME: read_options(LIME, {"num_samples": "20"})})
    question = case.ask_again(("curves",))
    case.answer(question, Watch(question.counts))
    tags = Tags(app_maps.show_maps(case, Style()))
    pictures = tags.all("img")
    assert all(picture["alt"] and picture["src"].startswith("data:image/") for picture in pictures)
    alts = [picture["alt"] for picture in pictures]
    assert "GRADCAM for red over the photograph, strongest at the upper edge" in alts
    assert "LIME for green: superpixels" in alts
    assert sum(alt.startswith("insertion, area") for alt in alts) == 4


def test_two_classes_share_a_scale_unless_told_otherwise(case):
    ask(case, [RED, BLUE], {GRADCAM: {"variant": "paper"}})
    bars = [image["alt"] for image in Tags(app_maps.show_maps(case, Style())).all("img") if "bar" in image["alt"]]
    assert bars[0] == bars[1] and bars[0].startswith("colour bar from 0 to ")
    assert float(bars[0].split()[-1]) == pytest.approx(case.answers[RED].maps["GRADCAM"].max(), rel=0.01)
    own = [image["alt"] for image in Tags(app_maps.show_maps(case, Style(), False)).all("img") if "bar" in image["alt"]]
    assert own[0] == bars[0] != own[1]


@pytest.mark.parametrize(
    "place, words",
    [
        ((0, 0), "at the upper left"),
        ((50, 50), "in the middle"),
        ((50, 95), "at the right edge"),
        ((95, 50), "at the lower edge"),
        ((95, 95), "at the lower right"),
    ],
)
def test_the_place_of_the_maximum_is_said_in_words(place, words):
    saliency_map = np.zeros((96, 96))
    saliency_map[place] = 1
    assert app_maps.say_place(saliency_map) == words
    assert app_maps.say_place(np.ones((4, 4))) == "nowhere"


# --- who may see what ------------------------------------------------------------------------------------------
def upload(visitors, name, age=0.0):
    """A file as Gradio puts and notes it: its path."""
    path = visitors.uploads.folder / f"hash_of_{name}" / name
    path.parent.mkdir()
    path.write_bytes(b"x")
    os.utime(path, (time.time() - age,) * 2)
    visitors.uploads.sent.add(str(path))
    return path


def test_only_a_file_that_was_sent_can_be_named(visitors, tmp_path, photograph):
    sent = upload(visitors, "sent.png")
    assert visitors.take("a", str(sent)) == (visitors.of("a"), sent)
    cached = visitors.uploads.folder / "an example.png"
    cached.write_bytes(b"x")
    link, within = upload(visitors, "link.png"), sent.parent / ".." / sent.parent.name / sent.name
    link.unlink()
    link.symlink_to(ROOT / "docs/images/gradcam.jpg")
    beyond = visitors.uploads.folder / "beyond"
    beyond.symlink_to(ROOT)
    visitors.uploads.sent |= {str(beyond / "app.py"), str(tmp_path), str(tmp_path / "gone.png")}
    for name in (ROOT / "app.py", cached, link, within, beyond / "app.py", tmp_path, tmp_path / "gone.png", "", "."):
        with pytest.raises(ValueError, match="drop it again"):
            visitors.take("a", str(name))
    for name in (None, 3, [str(sent)], {"path": str(sent)}):
        with pytest.raises(ValueError, match="drop it again"):
            visitors.take("a", name)
    visitors.of("a").uploads |= {photograph, cached, link, beyond / "app.py", tmp_path}
    visitors.leave("a")
    assert not sent.parent.exists()
    assert photograph.exists() and cached.exists() and (ROOT / "app.py").exists()
    assert (ROOT / "docs/images/gradcam.jpg").exists()


def test_what_nobody_claims_goes_after_a_while_and_so_does_a_visitor_whose_page_is_closed(visitors):
    age = constants.APP_KEEP_UNCLAIMED + 10
    old, new, kept, lost = (
        upload(visitors, f"{name}.png", age * (name != "new")) for name in ("old", "new", "kept", "lost")
    )
    half = visitors.uploads.folder / "half"
    half.write_bytes(b"x")
    os.utime(half, (0, 0))
    visitors.take("shown", str(kept))
    visitors.take("closed", str(lost))
    for session in ("shown", "closed"):
        visitors.of(session).seen -= age
    with visitors.present("shown"):
        visitors.sweep()
        assert new.exists() and kept.exists() and not any(path.exists() for path in (old, lost, half))
    visitors.of("shown").seen -= age
    visitors.sweep()
    assert not kept.exists()


def test_who_comes_when_all_places_are_taken_has_the_place_of_the_idle(visitors, monkeypatch):
    monkeypatch.setattr(constants, "APP_VISITORS", 3)
    first, second, third = (visitors.of(session) for session in "abc")
    visitors.of("a")
    with visitors.present("b"):
        visitors.of("d")
    assert visitors.of("a") is first and visitors.of("b") is second
    assert not third.folder.exists()


def test_a_visitor_who_leaves_takes_their_files_along_but_not_those_of_another(visitors):
    own, shared = upload(visitors, "own.png"), upload(visitors, "shared.png")
    first, second = visitors.of("a"), visitors.of("b")
    for session, path in (("a", own), ("a", shared), ("b", shared)):
        visitors.take(session, str(path))
    (first.folder / "map.npy").write_bytes(b"x")
    visitors.leave("a")
    assert not first.folder.exists() and not own.exists()
    assert second.folder.exists() and shared.exists()
    assert visitors.of("b") is second and visitors.of("a") is not first
    visitors.leave("b")
    assert not shared.exists()


def test_a_new_question_stops_the_one_before(visitors):
    visitor, begun, goes_on = visitors.of("a"), threading.Event(), threading.Event()

    def compute(watch):
        begun.set()
        goes_on.wait(10)
        watch.check()

    old = visitor.begin(compute, {})
    assert begun.wait(10)
    new = visitor.begin(lambda watch: "answer", {})
    goes_on.set()
    assert new.future.result(10) == "answer" and isinstance(old.future.exception(10), Stopped)


SENT = "/served/hash/photograph.png"
QUESTIONS = Questions({2: [True, False, False], 3: []}, lambda name: name == SENT)


def answer_of(path, body=b"{}", host="127.0.0.1:7860", bound="127.0.0.1", **headers):
    """The guard before an application that answers 200: the status of a request, its headers, the body passed on."""
    sent, passed = [], []

    async def application(scope, receive, send):
        passed.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    headers = {"host": host, "content-length": str(len(body))} | headers
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    with_visitors = Guard(application, QUESTIONS, Visitors("."), bound)
    asyncio.run(with_visitors({"type": "http", "path": path, "headers": headers}, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), passed


@pytest.mark.parametrize(
    "path, status",
    [
        ("/", 200),
        ("/config", 200),
        ("/assets/index.js", 200),
        ("/gradio_api/upload", 200),
        ("/gradio_api/heartbeat/abc", 200),
        ("/gradio_api/file=/tmp/x/map.npy", 200),
        ("/gradio_api/queue/data", 200),
        ("/gradio_api/file=http://127.0.0.1/", 404),
        ("/gradio_api/file=https%3A//example.org", 404),
        ("/gradio_api/proxy=https://example.org", 404),
        ("/monitoring", 404),
        ("/gradio_api/run/predict", 404),
        ("/gradio_api/call/x", 404),
        ("/gradio_api/component_server", 404),
        ("/openapi.json", 404),
        ("/docs", 404),
    ],
)
def test_the_guard_lets_through_what_the_page_needs(path, status):
    assert answer_of(path)[0] == status


def test_the_browser_is_told_to_stay_on_this_machine():
    policy = answer_of("/")[1][b"content-security-policy"].decode()
    assert "default-src 'self'" in policy and "http" not in policy and "*" not in policy


@pytest.mark.parametrize(
    "host, status",
    [
        ("127.0.0.1:7860", 200),
        ("localhost", 200),
        ("LOCALHOST:80", 200),
        ("[::1]:7860", 200),
        ("[::1]", 200),
        ("evil.example:7860", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
        ("localhost:80:80", 421),
        ("[::2]", 421),
    ],
)
def test_a_private_page_answers_to_the_names_of_this_machine_alone(host, status):
    assert answer_of("/", host=host)[0] == status
    assert answer_of("/", host=host, bound="0.0.0.0")[0] == 200


@pytest.mark.parametrize(
    "path, headers, status",
    [
        ("/gradio_api/queue/join", {"content_length": str(constants.APP_MAX_QUESTION + 1)}, 413),
        ("/gradio_api/cancel", {"content_length": str(constants.APP_MAX_QUESTION + 1)}, 413),
        ("/gradio_api/upload", {"content_length": str(constants.APP_MAX_UPLOAD)}, 200),
        ("/gradio_api/upload", {"content_length": str(2 * constants.APP_MAX_UPLOAD)}, 413),
        ("/gradio_api/upload", {"transfer_encoding": "chunked"}, 411),
        ("/gradio_api/cancel", {"content_length": "x"}, 411),
    ],
)
def test_no_request_is_longer_than_the_page_needs(path, headers, status):
    assert answer_of(path, **headers)[0] == status


def ask_for(photo=None, **changes):
    """The body of a question about a photograph."""
    asked = {"fn_index": 2, "session_hash": "abc", "trigger_id": 7, "data": [photo, 0.5, ["GRADCAM"]]} | changes
    return json.dumps(asked).encode()


@pytest.mark.parametrize(
    "photo",
    [
        {"path": "/etc/passwd"},
        {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
        "/etc/passwd",
        {},
        [],
        3,
        {"path": "https://example.org/x.png"},
        {"path": [SENT]},
        {"path": SENT + "/../x.png"},
        {"url": SENT},
        [SENT],
    ],
)
def test_a_question_that_names_a_file_not_uploaded_is_refused(photo):
    assert answer_of("/gradio_api/queue/join", ask_for(photo))[::2] == (403, [])


def test_a_file_is_passed_on_with_the_mark_by_which_gradio_checks_it_and_nothing_else():
    photo = {"path": SENT, "url": "http://example.org", "is_stream": True, "size": "x", "meta": {}}
    body = ask_for(photo, batched=True, event_id="x", simple_format=True, event_data={"index": 1})
    status, _, (passed,) = answer_of("/gradio_api/queue/join", body)
    assert status == 200
    assert json.loads(passed) == {
        "fn_index": 2,
        "session_hash": "abc",
        "trigger_id": 7,
        "event_data": {"index": 1},
        "data": [{"path": SENT, "meta": {"_type": "gradio.FileData"}}, 0.5, ["GRADCAM"]],
    }
    assert answer_of("/gradio_api/queue/join", ask_for(None))[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b"[]",
        b"not JSON",
        b"\xff",
        ask_for(fn_index=99),
        ask_for(fn_index=-1),
        ask_for(fn_index=None),
        ask_for(fn_index=True),
        ask_for(data=[]),
        ask_for(data=None),
        ask_for(data=[None, {"path": "/etc/passwd"}, None]),
        ask_for(data=[None, [[1]], None]),
        ask_for(session_hash=None),
        ask_for(session_hash="../x"),
        ask_for(session_hash="x" * 65),
        ask_for(trigger_id="x"),
        ask_for(event_data={"index": {"a": 1}}),
    ],
)
def test_what_the_page_does_not_ask_is_refused(body):
    assert answer_of("/gradio_api/queue/join", body)[::2] == (400, [])


# --- the command -----------------------------------------------------------------------------------------------
def test_help_and_a_mistyped_flag_answer_before_anything_heavy_is_loaded():
    code = "import sys, app; app.build_parser(); print(sorted({'gradio', 'tensorflow', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_is_on_this_machine_unless_told_otherwise():
    import app

    args = app.build_parser().parse_args([])
    assert (args.host, args.port) == ("127.0.0.1", 7860)
    args = app.build_parser().parse_args(["--host=0.0.0.0", "--port=8000", "--model_name=MobileNetV2"])
    assert (args.host, args.port, args.model_name) == ("0.0.0.0", 8000, "MobileNetV2")
