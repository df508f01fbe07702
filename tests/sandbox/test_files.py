"""Paths that may not enter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.sandbox import CandidateFailed
from quiltwork.sandbox.files import MAX_BYTES, check_files


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../up.py",
        "a/../../b",
        "a//b",
        "./a",
        "a/.",
        "",
        "a\\b",
        "a\x00b",
        "a\nb",
        "x" * 300,
        "a/",
        "\ud800",
    ],
)
def test_a_path_trick_is_refused(path):
    with pytest.raises(CandidateFailed) as caught:
        check_files({path: "", "program.py": ""}, "program.py", tmp_mb=16)
    assert caught.value.verdict == "files"


def test_a_path_cannot_be_a_file_and_a_folder():
    with pytest.raises(CandidateFailed, match="both"):
        check_files({"a": "", "a/b": ""}, "a", tmp_mb=16)


def test_a_missing_entry_is_named():
    with pytest.raises(CandidateFailed) as caught:
        check_files({"a.py": ""}, "b.py", tmp_mb=16)
    assert caught.value.verdict == "missing"


def test_too_many_and_too_large_programs_are_refused():
    with pytest.raises(CandidateFailed, match="files;"):
        check_files({f"{i}.py": "" for i in range(2_000)}, "0.py", tmp_mb=16)
    with pytest.raises(CandidateFailed, match="bytes of program"):
        check_files({"a.py": "x" * (MAX_BYTES + 1)}, "a.py", tmp_mb=1_000)
    with pytest.raises(CandidateFailed, match="bytes of program"):
        check_files({"a.py": "x" * 600_000}, "a.py", tmp_mb=1)


@given(st.lists(st.from_regex(r"[a-z0-9_]{1,8}(\.py)?", fullmatch=True), min_size=1, max_size=5))
def test_plain_relative_paths_are_welcome(parts):
    path = "/".join(parts)
    check_files({path: "text"}, path, tmp_mb=16)


@given(st.text(max_size=30))
def test_whatever_is_accepted_stays_inside_the_folder(path):
    import os

    try:
        check_files({path: ""}, path, tmp_mb=16)
    except CandidateFailed:
        return
    assert os.path.normpath(os.path.join("/root", path)) == f"/root/{path}"
