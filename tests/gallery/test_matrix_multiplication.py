from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import (
    Direct,
    Replies,
    building_blocks,
    independent_check,
    module,
    seed_program,
    source,
    with_block,
)

SIZES = {"matrix_multiplication_444": (4, 4, 4), "matrix_multiplication_347": (3, 4, 7)}
SMALL = "matrix_multiplication_444"
every_problem = pytest.mark.parametrize("name", SIZES)


def strassen_twice():
    """49 products for 4 x 4 matrices."""
    names = with_block(SMALL, "construct", "strassen_where_it_fits")._names
    parts = [np.array([product[part] for product in names["STRASSEN"]], dtype=float) for part in range(3)]
    return {
        name: np.array([np.kron(a.reshape(2, 2), b.reshape(2, 2)).ravel() for a in rows for b in rows])
        for name, rows in zip("uvw", parts, strict=True)
    }


def turned_complex(scheme):
    """The same products with i u and -i v in the places of u and v, or with halves and doubles."""
    return {"u": 1j * scheme["u"], "v": -1j * scheme["v"], "w": scheme["w"]}


def multiplied(scheme, a, b):
    """What the products of a scheme make of two matrices."""
    products = (np.asarray(scheme["u"]) @ a.ravel()) * (np.asarray(scheme["v"]) @ b.ravel())
    return (products @ np.asarray(scheme["w"])).reshape(len(a), b.shape[1])


def judge(name):
    return module(name, "evaluate")


def test_both_problems_are_judged_by_the_same_code():
    first, second = SIZES
    assert source(first, "tensor.py") == source(second, "tensor.py")
    sizes = [line for line in source(first, "evaluate.py").splitlines() if not line.startswith("N, M, P")]
    assert sizes == [line for line in source(second, "evaluate.py").splitlines() if not line.startswith("N, M, P")]


@every_problem
def test_the_school_s_way_needs_all_products(name):
    n, m, p = SIZES[name]
    assert judge(name).evaluate(seed_program(name)).metrics == {"rank": float(n * m * p), "added": 0.0}


@pytest.mark.parametrize(("name", "rank"), [("matrix_multiplication_444", 56), ("matrix_multiplication_347", 78)])
def test_strassen_saves_one_product_in_every_pair_of_blocks(name, rank):
    score = judge(name).evaluate(with_block(name, "construct", "strassen_where_it_fits"))
    assert score.metrics == {"rank": float(rank), "added": 0.0}


def test_strassen_twice_needs_49_also_with_imaginary_coefficients():
    for scheme in (strassen_twice(), turned_complex(strassen_twice())):
        assert judge(SMALL).evaluate(Replies(scheme)).metrics == {"rank": 49.0, "added": 0.0}


@pytest.mark.parametrize(
    ("name", "block"), [(name, block) for name in SIZES for block in building_blocks(name, "construct")]
)
def test_every_building_block_multiplies_matrices(name, block):
    n, m, p = SIZES[name]
    short = source(name, "blocks", "construct", f"{block}.py").replace("steps=2000000", "steps=50000")
    candidate = Direct(source(name, "program", "program.py") + "\n\n" + short)
    rng = np.random.default_rng(1)
    a, b = rng.integers(-9, 9, (n, m)), rng.integers(-9, 9, (m, p))
    for start in (None, with_block(name, "construct", "strassen_where_it_fits").construct("construct")):
        candidate.start = start
        score = judge(name).evaluate(candidate)
        assert score.metrics["added"] == 0
        assert (multiplied(score.construction, a, b) == a @ b).all()


def test_flips_find_strassen_s_trick_within_blocks():
    short = source(SMALL, "blocks", "construct", "flip_walk.py")
    candidate = Direct(source(SMALL, "program", "program.py") + "\n\n" + short)
    candidate.start = with_block(SMALL, "construct", "strassen_where_it_fits").construct("construct")
    assert judge(SMALL).evaluate(candidate).metrics["rank"] < 56


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), rows=st.integers(0, 20), gaussian=st.booleans(), name=st.sampled_from(list(SIZES))
)
def test_whatever_comes_back_is_mended_to_a_valid_scheme(seed, rows, gaussian, name):
    n, m, p = SIZES[name]
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(n * m * p)[:rows]
    scheme = {key: np.array(factor)[chosen] for key, factor in seed_program(name).call("construct").items()}
    for factor in scheme.values():
        factor += rng.integers(-2, 3, factor.shape) / 2.0 * (rng.random(factor.shape) < 0.05)
    if gaussian:
        scheme = turned_complex(scheme)
    score = judge(name).evaluate(Replies(scheme))
    assert (module(name, "tensor").of_scheme(judge(name).in_halves(score.construction)) == judge(name).TENSOR).all()
    assert judge(name).certify(score.construction).value == score.metrics["rank"]
    assert judge(name).evaluate(Replies(score.construction)).metrics == {"rank": score.metrics["rank"], "added": 0.0}


def test_a_product_that_is_left_out_costs_at_least_itself():
    scheme = strassen_twice()
    for left_out in range(0, 49, 7):
        less = {name: np.delete(factor, left_out, axis=0) for name, factor in scheme.items()}
        assert judge(SMALL).evaluate(Replies(less)).metrics["rank"] >= 49


def test_products_with_a_zero_factor_are_not_counted():
    scheme = strassen_twice()
    longer = {name: np.concatenate([factor, np.zeros((3, 16))]) for name, factor in scheme.items()}
    assert judge(SMALL).evaluate(Replies(longer)).metrics["rank"] == 49


GOOD = np.zeros((3, 16))


@pytest.mark.parametrize(
    "reply",
    [
        None,
        [GOOD, GOOD, GOOD],
        {"u": GOOD, "v": GOOD},
        {"u": GOOD, "v": GOOD, "w": np.zeros((2, 16))},
        {"u": GOOD, "v": GOOD, "w": np.zeros((3, 15))},
        {"u": GOOD, "v": GOOD, "w": np.zeros((3, 16), dtype=bool)},
        {"u": GOOD, "v": GOOD, "w": np.full((3, 16), 0.25)},
        {"u": GOOD, "v": GOOD, "w": np.full((3, 16), 0.25j)},
        {"u": GOOD, "v": GOOD, "w": np.full((3, 16), 0.5 + 1e-15)},
        {"u": GOOD, "v": GOOD, "w": np.full((3, 16), 65.0)},
        {"u": GOOD, "v": GOOD, "w": np.full((3, 16), np.nan)},
        {"u": GOOD, "v": GOOD, "w": np.full((3, 16), np.inf)},
        {"u": GOOD, "v": GOOD, "w": [["1"] * 16] * 3},
        {"u": GOOD, "v": GOOD, "w": [[10**400] * 16] * 3},
        {"u": GOOD, "v": GOOD, "w": [[True] * 16] * 3},
        {name: np.ones((257, 16)) for name in "uvw"},
        {name: np.full((9, 16), 60.0) for name in "uvw"},
    ],
)
def test_replies_that_are_no_schemes_are_refused(reply):
    with pytest.raises(InvalidScore, match=r"u|rows|lacks"):
        judge(SMALL).evaluate(Replies(reply))


@every_problem
def test_the_independent_check_accepts_a_scheme(name, tmp_path):
    scheme = with_block(name, "construct", "strassen_where_it_fits").construct("construct")
    checked = independent_check(name, judge(name).certify(scheme), tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert f"rank <= {len(scheme['u'])}\nVALID" in checked.stdout


def test_the_independent_check_accepts_imaginary_coefficients(tmp_path):
    checked = independent_check(SMALL, judge(SMALL).certify(turned_complex(strassen_twice())), tmp_path)
    assert "rank <= 49\nVALID" in checked.stdout


@pytest.mark.parametrize("wrong", ["value", "fewer", "half", "turned", "nothing"])
def test_the_independent_check_refuses_what_does_not_multiply(tmp_path, wrong):
    certificate = judge(SMALL).certify(strassen_twice())
    doubled = {name: [list(row) for row in rows] for name, rows in certificate.data["doubled"].items()}
    change = {"data": {"doubled": doubled}}
    if wrong == "value":
        change = {"value": "48/1"}
    elif wrong == "fewer":
        change |= {"value": "48/1"}
        for rows in doubled.values():
            rows.pop()
    elif wrong == "half":
        doubled["u"][0][0] = [2.0, 0]
    elif wrong == "turned":
        doubled["u"][0] = [[-im, re] for re, im in doubled["u"][0]]
    else:
        change = {"data": {}}
    checked = independent_check(SMALL, certificate, tmp_path, change)
    assert checked.returncode == 1
    assert "INVALID" in checked.stderr


def test_what_does_not_multiply_gets_no_certificate():
    with pytest.raises(InvalidScore, match="multiply"):
        judge(SMALL).certify({name: factor[1:] for name, factor in strassen_twice().items()})
