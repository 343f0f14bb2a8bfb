"""A thread writes the lines in order, without blocking; lost lines are counted."""

import contextlib
import io
import os
import threading
from collections.abc import Iterator

import pytest

from homey_tokend.runtime.log_writer import LogWriter


def tell(count: int) -> str:
    return f"dropped {count}"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Create a pipe, and close it after the test."""
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


def test_lines_come_in_order() -> None:
    """Every line is written, each with a newline, before ``close`` returns."""
    stream = io.StringIO()
    writer = LogWriter(stream, tell)
    for number in range(100):
        writer.write(f"line {number}")

    assert writer.close(40)
    assert "".join(f"line {number}\n" for number in range(100)) == stream.getvalue()


def test_close_twice_and_write_after() -> None:
    """A closed writer drops lines, and closing it again is harmless."""
    stream = io.StringIO()
    writer = LogWriter(stream, tell)
    writer.write("last")
    writer.close(40)
    writer.write("too late")

    assert writer.close(40)
    assert stream.getvalue() == "last\n"


def test_a_full_pipe_delays_nothing(pipe: tuple[int, int]) -> None:
    """Without a reader, writing does not block; lost lines are counted and reported."""
    reading, writing = pipe
    line = "x" * 1000
    with os.fdopen(writing, "w") as stream:
        writer = LogWriter(stream, tell, most_waiting=210_000)
        writer.write("y" * 200_000)
        for _ in range(500):
            writer.write(line)
        assert not writer.close(0.05)

        received: list[bytes] = []

        def drain() -> None:
            while part := os.read(reading, 65536):
                received.append(part)

        reader = threading.Thread(target=drain)
        reader.start()
        assert writer.close(40)
    reader.join(40)
    lines = b"".join(received).decode().splitlines()

    assert ["y" * 200_000, "dropped 490", *[line] * 10] == lines


def test_lines_are_dropped_by_their_number_of_characters(pipe: tuple[int, int]) -> None:
    """A megabyte may wait, in any number of lines."""
    reading, writing = pipe
    with os.fdopen(writing, "w") as stream:
        writer = LogWriter(stream, tell)
        for _ in range(30):
            writer.write("x" * 100_000)
        received = bytearray()

        def close() -> None:
            writer.close(40)
            stream.close()

        closer = threading.Thread(target=close)
        closer.start()
        while part := os.read(reading, 65536):
            received += part
        closer.join(40)

    assert len(received) < 1_300_000
    assert b"\ndropped " in received


def test_a_non_blocking_pipe_gets_all_lines(pipe: tuple[int, int]) -> None:
    """O_NONBLOCK set by another process on our pipe loses nothing."""
    reading, writing = pipe
    os.set_blocking(writing, False)
    with os.fdopen(writing, "w") as stream:
        writer = LogWriter(stream, tell)
        for _ in range(5):
            writer.write("x" * 100_000)
        received = bytearray()
        while len(received) < 500_005:
            received += os.read(reading, 65536)
        writer.close(40)

    assert received.count(b"\n") == 5


def test_a_closed_reader_does_not_stop_the_thread(pipe: tuple[int, int]) -> None:
    """With EPIPE and EBADF the lines are lost, and the thread continues."""
    reading, writing = pipe
    os.close(reading)
    stream = os.fdopen(writing, "w")
    writer = LogWriter(stream, tell)
    writer.write("nobody reads")
    writer.write("nobody reads this either")
    closed_stream = io.StringIO()
    closed_stream.close()
    other = LogWriter(closed_stream, tell)
    other.write("closed")

    assert writer.close(40)
    assert other.close(40)
    stream.close()


def test_any_text_is_written(pipe: tuple[int, int]) -> None:
    """A lone surrogate in a file name does not stop the log."""
    reading, writing = pipe
    with os.fdopen(writing, "w") as stream:
        writer = LogWriter(stream, tell)
        writer.write("ä \udc80")
        writer.close(40)

    assert os.read(reading, 100) == "ä ".encode() + b"\\udc80\n"
