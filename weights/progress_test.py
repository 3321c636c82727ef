"""Progress is one line on a terminal, shown after two seconds, and nothing elsewhere."""

import io

import pytest

from weights import progress as module
from weights.progress import Progress, megabytes


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_on_a_terminal(clock: Clock) -> None:
    stream = Terminal()
    with Progress("reading", 4_000_000_000, stream) as progress:
        progress.advance(1_000_000_000)
        assert stream.getvalue() == ""
        clock.now += 2.0
        progress.advance(1_000_000_000)
        line = "\r\x1b[Kreading  50 %  2.0 GB of 4.0 GB  1.0 GB/s  2 s left"
        assert stream.getvalue() == line
        progress.advance(1)
        assert stream.getvalue() == line
    assert stream.getvalue() == line + "\r\x1b[K"


def test_quick_work_shows_nothing(clock: Clock) -> None:
    stream = Terminal()
    with Progress("reading", 10, stream) as progress:
        clock.now += 1.9
        progress.advance(10)
    assert stream.getvalue() == ""


def test_elsewhere_it_shows_nothing(clock: Clock) -> None:
    stream = io.StringIO()
    with Progress("reading", 10, stream) as progress:
        clock.now += 60
        progress.advance(10)
    assert stream.getvalue() == ""


def test_the_line_is_wiped_when_it_fails(clock: Clock) -> None:
    stream = Terminal()

    def work() -> None:
        with Progress("reading", 0, stream) as progress:
            clock.now += 3
            progress.advance(0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert stream.getvalue() == "\r\x1b[Kreading  0 B of 0 B  0 B/s\r\x1b[K"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (90_868_376, "90.9 MB"),
        (256_000_000, "256 MB"),
        (999_600, "1.0 MB"),
        (13_761_264_768, "13.8 GB"),
        (4e15, "4000.0 TB"),
    ],
)
def test_megabytes(count: float, text: str) -> None:
    assert megabytes(count) == text
