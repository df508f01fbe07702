from hypothesis import given
from hypothesis import strategies as st

from quiltwork.text.braille import braille_steps


def test_a_rising_step_is_drawn_from_below_to_above() -> None:
    assert braille_steps([(0.0, 0.0), (2.0, 1.0)], end=4.0, width=2, height=2) == ["⢸⠉", "⣸⠀"]


def test_nothing_is_drawn_before_the_first_point() -> None:
    lines = braille_steps([(5.0, 0.5)], end=10.0, width=10, height=3)
    assert all(set(line[:4]) == {"⠀"} for line in lines)
    assert any(set(line[5:]) != {"⠀"} for line in lines)


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(-2, 3)), max_size=20).map(sorted),
    st.integers(1, 60),
    st.integers(1, 9),
)
def test_it_always_fills_the_same_field(points: list[tuple[float, float]], width: int, height: int) -> None:
    lines = braille_steps(points, 100.0, width, height)
    assert [len(line) for line in lines] == [width] * height
    assert all(0x2800 <= ord(letter) <= 0x28FF for line in lines for letter in line)
