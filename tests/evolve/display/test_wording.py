from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.display.wording import reason, say_standing, standing


def test_standing_knows_the_direction() -> None:
    assert standing(2.0, 1.0, maximize=True) == ("ahead", 1.0)
    assert standing(2.0, 1.0, maximize=False) == ("behind", -1.0)
    assert say_standing(standing(1.0, 1.25, maximize=False)) == "ahead by 0.25"
    assert say_standing(standing(1.0, 1.25, maximize=False), "Ann") == "ahead of Ann by 0.25"
    assert say_standing(standing(1.5, 1.25, maximize=False), "Ann") == "behind Ann by 0.25"
    assert say_standing(standing(1.0, 1.0, maximize=False), "Ann") == "level with Ann"


def test_a_rounded_known_value_is_level_to_the_digits_it_has() -> None:
    assert standing(2.63598308534, 2.6359830853, maximize=True).word == "level"
    assert standing(2.63598308536, 2.6359830853, maximize=True).word == "ahead"
    assert standing(593.2, 593.0, maximize=True).word == "ahead"
    assert standing(207.452, 207.45, maximize=False).word == "behind"


def test_a_verdict_that_would_puzzle_is_put_in_words() -> None:
    assert [reason("nothing"), reason("raised")] == ["no proposal", "raised"]


@given(st.floats(), st.floats(), st.booleans())
def test_there_are_words_for_every_difference(value: float, other: float, maximize: bool) -> None:
    words = say_standing(standing(value, other, maximize=maximize))
    assert "\n" not in words
    assert len(words) <= 400
