import pytest

from quiltwork.errors import UserError
from quiltwork.evolve.budget import Budget, parse_budget


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("500evals", Budget(500, "evals")),
        ("1eval", Budget(1, "evals")),
        ("120cpu-s", Budget(120, "cpu-s")),
        ("5cpu-min", Budget(300, "cpu-s")),
        ("5min", Budget(300, "wall-s")),
        ("1.5h", Budget(5400, "wall-s")),
        (" 90 s ", Budget(90, "wall-s")),
        ("10_000evals", Budget(10_000, "evals")),
    ],
)
def test_budgets_are_read(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget
    assert parse_budget(str(budget)) == budget


@pytest.mark.parametrize("text", ["", "500", "evals", "-3evals", "0evals", "1.5evals", "3 fortnights", "1e9evals"])
def test_a_budget_that_makes_no_sense_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UserError, match=r"budget"):
        parse_budget(text)


def test_a_budget_is_extended_in_its_own_unit_only() -> None:
    assert Budget(100, "evals").extended(Budget(50, "evals")) == Budget(150, "evals")
    with pytest.raises(UserError, match="no limit in cpu-s"):
        Budget(100, "evals").extended(Budget(50, "cpu-s"))


def test_several_limits_hold_at_once_and_are_written_as_they_are_read() -> None:
    budget = parse_budget("500evals, 1.50usd,200ktokens")
    assert (budget.amount, budget.unit) == (500, "evals")
    assert budget.limit("usd") == 1.5
    assert budget.limit("tokens") == 200_000
    assert budget.limit("cpu-s") is None
    assert parse_budget(str(budget)) == budget


def test_each_limit_is_extended_by_its_own_unit() -> None:
    budget = parse_budget("500evals,2usd").extended(parse_budget("1usd"))
    assert str(budget) == "500evals,3usd"


def test_a_unit_that_is_named_twice_is_refused() -> None:
    with pytest.raises(UserError, match="twice"):
        parse_budget("500evals,10evals")
