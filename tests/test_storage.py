"""Files are written atomically."""

import os

import pytest

from helpers import storage


@pytest.mark.parametrize("on_drive", [False, True])
def test_what_is_replaced_is_emptied_on_drive_alone(tmp_path, monkeypatch, on_drive):
    monkeypatch.setattr(storage, "ON_DRIVE", str(tmp_path / ("" if on_drive else "drive")))
    path = tmp_path / "file"
    in_the_bin = tmp_path / "old"
    path.write_bytes(b"old")
    os.link(path, in_the_bin)
    with storage.writing(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert in_the_bin.read_bytes() == (b"" if on_drive else b"old")


def test_two_processes_may_write_the_same_file(tmp_path):
    path = tmp_path / "file"
    left = tmp_path / "file.0.partial"
    of_another_file = tmp_path / "file2.0.partial"
    for partial in left, of_another_file:
        partial.touch()
        os.utime(partial, (0, 0))
    with storage.writing(path) as first, storage.writing(path) as second:
        first.write(b"first")
        second.write(b"second")
        assert len(storage.unfinished(path)) == 2  # without what was left hours ago
    assert path.read_bytes() == b"first"
    assert set(tmp_path.iterdir()) == {path, of_another_file}
