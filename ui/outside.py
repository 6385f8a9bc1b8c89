"""What came from outside, made harmless on a screen: Markdown in it is shown, not obeyed, and where
strangers look on, it names no place of this machine.

Outside is whatever a link, a file, a folder or an error says: class names, run ids, errors that
quote them. `plain` is the one door for all of it to Streamlit's Markdown.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from ui import connection

LOCAL = ("localhost", "127.0.0.1", "::1")
JOINER = "\u2060"
"""Has no width and is no part of a word: what is cut by it reads the same and is no address."""
_MARKS = re.compile(r"[\\`*{}\[\]<>#!|~$&]|(?<!\w)_|_(?!\w)")
_FIRST = re.compile(r"^([-+=]|\d+(?=[.)]))")
# Streamlit makes links, icons, colours and smileys from these, even where they are escaped.
_ALIVE = re.compile(r"(?<=:)(?=//|[\w+-]*[a-z])|(?<=www)(?=\.)|(?<=@)(?=\w)", re.IGNORECASE)
_PATH = re.compile(
    r"(?<![\w.:/])(?:/|[A-Za-z]:\\|\\\\)(?:[^\s'\"/\\,;()]+[/\\])*([^\s'\"/\\,;()]+)[/\\]?"
)
_USER = re.compile(r"(?<=:)//[^\s/@]+@")
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")


def hosted() -> bool:
    """Whether strangers can open the app: `FORGETTING_LAB_HOSTED` says so (1) or not (0); without
    it, whether the server listens to more than this machine."""
    said = os.environ.get("FORGETTING_LAB_HOSTED")
    if said:
        return said != "0"
    return st.get_option("server.address") not in LOCAL


def plain(text: object) -> str:
    """Text for Streamlit's Markdown that shows as it is: one line, no link, image or formatting.
    Where the app is hosted, without the places of `public`."""
    line = " ".join(str(text).split())
    if hosted():
        line = public(line)
    line = _MARKS.sub(r"\\\g<0>", _ALIVE.sub(JOINER, line))
    return _FIRST.sub(lambda first: f"{first[0]}{JOINER}", line)


def public(text: str) -> str:
    """Text without folders, the database's host, or network addresses of this machine;
    the last part of a path stays."""
    for place in _places():
        text = text.replace(place, f"/{Path(place).name.replace(' ', '_')}")
    text = _USER.sub("//", text)
    for word in _database():
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "the database", text)
    return _ADDRESS.sub("an address", _PATH.sub(r"\1", text))


def _places() -> list[str]:
    """The folders that settings name, the longest first; a space in one would end `_PATH`."""
    named = [os.environ.get(f"FORGETTING_LAB_{name}", "") for name in ("CACHE", "DATA")]
    database = urlsplit(os.environ.get("FORGETTING_LAB_DATABASE", ""))
    if database.scheme.startswith("sqlite"):
        named.append(str(Path(database.path.removeprefix("/")).parent))
    folders = {str(Path(name)) for name in named if name} | {
        str(Path.home()),
        str(Path.cwd()),
        tempfile.gettempdir(),
    }
    return sorted((f for f in folders if len(f) > 1), key=len, reverse=True)


def _database() -> list[str]:
    """How a database is named that is reached over a network."""
    try:
        found = urlsplit(os.environ.get("FORGETTING_LAB_DATABASE") or connection.database() or "")
    except ValueError:
        return []
    return [word for word in (found.netloc, found.hostname) if word]
