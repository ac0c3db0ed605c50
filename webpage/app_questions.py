"""What a browser may ask of the page's functions: a question (JSON) is read before Gradio sees it.

What reaches Gradio is written anew from what was understood, so that no other field of a question can mean anything:
a file is its path and the mark by which Gradio, too, checks it.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence

SESSION = re.compile(r"\w{1,64}")
MARK = {"_type": "gradio.FileData"}


class Questions:
    """Reads questions. fields: function -> whether each of its inputs is a file; is_upload: of a path."""

    def __init__(self, fields: Mapping[int, Sequence[bool]], is_upload: Callable[[object], bool]):
        self.fields, self.is_upload = fields, is_upload

    def read(self, body: bytes) -> bytes:
        """The question as Gradio shall see it.

        ValueError for one that the page does not ask, PermissionError for one that names a file not uploaded here.
        """
        try:
            asked = json.loads(body)
        except RecursionError:
            raise ValueError("no question is so deep") from None
        if not isinstance(asked, dict):
            raise ValueError("no question")
        index, session, trigger = (asked.get(name) for name in ("fn_index", "session_hash", "trigger_id"))
        if type(index) is not int or index not in self.fields:
            raise ValueError("no function of the page")
        if not isinstance(session, str) or not SESSION.fullmatch(session):
            raise ValueError("no session")
        if trigger is not None and type(trigger) is not int:
            raise ValueError("no part of the page")
        values, fields = asked.get("data"), self.fields[index]
        if not isinstance(values, list) or len(values) != len(fields):
            raise ValueError(f"{len(fields)} values are wanted")
        data = [self._file(value) if is_file else _plain(value) for value, is_file in zip(values, fields)]
        event = asked.get("event_data")
        event = {name: _plain(value) for name, value in event.items()} if isinstance(event, dict) else {}
        question = {
            "fn_index": index,
            "session_hash": session,
            "trigger_id": trigger,
            "data": data,
            "event_data": event,
        }
        return json.dumps(question).encode()

    def _file(self, value: object) -> dict | None:
        if value is None:
            return None
        path = value.get("path") if isinstance(value, dict) else value
        if not self.is_upload(path):
            raise PermissionError("no file that was uploaded here")
        return {"path": path, "meta": MARK}


def _plain(value: object):
    """A number, a text, a truth value, None, or a list of them."""
    for single in value if isinstance(value, list) else [value]:
        if isinstance(single, list | dict):
            raise ValueError("no value of a field")
    return value
