from __future__ import annotations

import io
import sys
import time

import pytest

from exporters.cli import working


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_no_output(capsys: pytest.CaptureFixture[str]) -> None:
    with working.working("thinking") as say:
        say("line")
    assert capsys.readouterr() == ("line\n", "")


def test_a_terminal_shows_the_seconds_and_then_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(working, "_QUIET_SECONDS", 0.01)
    monkeypatch.setattr(working, "_INTERVAL_SECONDS", 0.01)
    with working.working("thinking") as say:
        while "thinking  0 s" not in terminal.getvalue():
            time.sleep(0.01)
        say("line")
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert capsys.readouterr().out == "line\n"


def test_quick_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with working.working("thinking"):
        pass
    assert terminal.getvalue() == ""
