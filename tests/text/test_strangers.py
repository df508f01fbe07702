from hypothesis import given
from hypothesis import strategies as st

from quiltwork.text.strangers import one_line, plain


def test_one_line_holds_no_escape_and_no_line_end() -> None:
    assert one_line("a\x1b[31mred\nb\u202ec") == "a·[31mred b·c"
    assert one_line("x" * 50, 10) == "x" * 9 + "…"


def test_plain_text_marks_what_it_cuts_and_what_cannot_be_seen() -> None:
    assert plain("a\r\nb\tc\x00\x1b\u202e\ud800") == "a\nb\tc␀␛\ufffd?"
    assert plain("x" * 12, 10) == "x" * 10 + "\n[2 more letters are left out]"


@given(st.text(), st.integers(2, 50))
def test_whatever_is_written_fits_into_one_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit
