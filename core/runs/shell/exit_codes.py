"""How a command ends: 0 done, 1 failed, 2 bad request, 130 cancelled; and one line on stderr where
it did not end well."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Sequence

import typer
from typer.main import get_command

from core.errors import BadRequest, LabError

CANCELLED = 130


def run_command(app: typer.Typer, name: str, arguments: Sequence[str]) -> int:
    """Runs a command and returns its exit code: its result, 0 without one, else by its error.

    Not `app()`, which answers a bad request in boxes, a closed pipe with 1, and hides Ctrl-C.
    """
    try:
        with get_command(app).make_context(name, list(arguments)) as context:
            code: int | None = context.command.invoke(context)
        print(end="", flush=True)
        return code or 0
    except typer.Exit as ended:  # --help
        return ended.exit_code
    except typer.TyperException as error:
        where = getattr(getattr(error, "ctx", None), "command_path", name)
        _say(f"error: {_one_line(error.format_message())} (see {where} --help)", error)
        return error.exit_code
    except LabError as error:
        _say(f"error: {error}", error)
        return 2 if isinstance(error, BadRequest) else 1
    except KeyboardInterrupt as error:
        _say("cancelled", error)
        return CANCELLED
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, a folder that may not be written to
        where = f"{error.filename}: " if error.filename else ""
        _say(f"error: {where}{error.strerror or error}", error)
        return 1


def _one_line(message: str) -> str:
    """It quotes what was typed, which may be long, of several lines, or steer a terminal."""
    message = message.replace("Value error, ", "", 1).rstrip(".")  # Pydantic's words
    shown = "".join(letter if letter.isprintable() else " " for letter in message)
    return textwrap.shorten(re.sub(r"(\S{60})\S+", r"\1…", shown), 300, placeholder=" …")


def _say(line: str, error: BaseException) -> None:
    for text in (line, *getattr(error, "__notes__", ())):
        print(text, file=sys.stderr, flush=True)
