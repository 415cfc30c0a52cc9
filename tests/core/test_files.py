import os
import stat
import threading

import pytest

from posebot.core.files import write_atomic


def test_text_and_bytes_are_written_as_they_are(tmp_path):
    write_atomic(tmp_path / "a.txt", "größe\n")
    write_atomic(str(tmp_path / "a.bin"), b"\r\n\x00")
    assert (tmp_path / "a.txt").read_bytes() == "größe\n".encode()
    assert (tmp_path / "a.bin").read_bytes() == b"\r\n\x00"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "a.txt"]


def test_permissions_follow_the_umask_or_the_mode_given(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "shared", "1")
        write_atomic(tmp_path / "secret", "1", mode=0o600)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "inside").touch()
    with pytest.raises(IsADirectoryError):
        write_atomic(tmp_path / "taken", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "missing" / "file", "x")


def test_readers_never_see_a_part(tmp_path):
    path, sizes = tmp_path / "file", {20_000, 90_000}
    write_atomic(path, b"a" * 20_000)
    stop, seen = threading.Event(), set()

    def read():
        while not stop.is_set():
            seen.add(len(path.read_bytes()))

    reader = threading.Thread(target=read)
    reader.start()
    for round_ in range(100):
        write_atomic(path, b"b" * (90_000 if round_ % 2 else 20_000), durable=False)
    stop.set()
    reader.join()
    assert seen <= sizes
