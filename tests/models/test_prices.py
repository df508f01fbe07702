from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.models import Message, ModelConfig, Request
from quiltwork.models.prices import Price, bound, price_is_known, price_of
from quiltwork.toml import TomlError


def at_a_server(id_: str, **fields: object) -> ModelConfig:
    return ModelConfig(name="m", url="https://example.org/v1", id=id_, **fields)  # type: ignore[arg-type]


def test_a_well_known_model_has_its_list_price() -> None:
    assert price_of(at_a_server("gpt-4o-mini")) == Price(0.15, 0.60)


def test_only_the_exact_id_has_a_price(home: Path) -> None:
    assert not price_is_known(at_a_server("gpt-4o-mini-2099"))
    assert bound(at_a_server("gpt-4o-mini-2099"), Request(model="m", prompt="x")).usd == 0


def test_the_users_table_comes_before_ours_and_the_model_itself_before_both(home: Path) -> None:
    (home / "prices.toml").write_text('[models."gpt-4o-mini"]\nin = 7\nout = 8\n[models."mine"]\nin = 0\nout = 1\n')
    assert price_of(at_a_server("gpt-4o-mini")) == Price(7, 8)
    assert price_of(at_a_server("mine")) == Price(0, 1)
    assert price_of(at_a_server("mine", usd_per_mtok_in=5)) == Price(5, 1)
    assert price_of(at_a_server("gpt-4o")) == Price(2.5, 10)


def test_a_changed_table_is_read_again(home: Path) -> None:
    assert not price_is_known(at_a_server("mine"))
    (home / "prices.toml").write_text('[models."mine"]\nin = 1\nout = 1\n')
    assert price_is_known(at_a_server("mine"))


def test_one_price_of_two_is_no_price() -> None:
    assert not price_is_known(at_a_server("mine", usd_per_mtok_in=5))
    assert price_is_known(at_a_server("mine", usd_per_mtok_in=0, usd_per_mtok_out=0))


def test_a_table_that_cannot_be_used_is_named_with_its_line(home: Path) -> None:
    (home / "prices.toml").write_text("[models.mine]\nin = -1\nout = 2\n")
    with pytest.raises(TomlError, match=r"prices\.toml:2: field models\.mine\.in"):
        price_of(at_a_server("mine"))


def test_a_local_model_costs_nothing() -> None:
    local = ModelConfig(name="m", local="smollm2-135m", in_flight=2)
    assert price_is_known(local)
    assert bound(local, Request(model="m", prompt="x")).usd == 0


messages = st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=200))
requests = st.builds(
    Request,
    model=st.just("m"),
    messages=st.lists(messages, min_size=1, max_size=5).map(tuple),
    n=st.integers(1, 20),
    max_tokens=st.integers(1, 10_000),
)


@given(requests)
def test_no_request_can_use_more_than_its_bound(request_: Request) -> None:
    """The worst case: every byte of the prompt a token, every answer as long as it may be, every call paid for alone."""
    worst = sum(len(message.content.encode()) for message in request_.messages)
    server = at_a_server("m", usd_per_mtok_in=3, usd_per_mtok_out=15)
    reserved = bound(server, request_)
    assert reserved.tokens >= worst + request_.n * request_.max_tokens
    assert reserved.usd >= (3 * worst + 15 * request_.n * request_.max_tokens) / 1e6
    local = ModelConfig(name="m", local="x.gguf", in_flight=4)
    assert bound(local, request_).tokens >= -(-request_.n // 4) * worst + request_.n * request_.max_tokens


@given(requests, st.text(min_size=1, max_size=50))
def test_more_text_is_a_higher_bound(request_: Request, text: str) -> None:
    more = Request(model="m", messages=(*request_.messages, Message("user", text)), n=request_.n)
    less = Request(model="m", messages=request_.messages, n=request_.n)
    assert bound(at_a_server("gpt-5"), more).usd > bound(at_a_server("gpt-5"), less).usd
