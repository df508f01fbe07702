from quiltwork.evolve.bandit import Bandit
from quiltwork.evolve.draws import draw


def shares(bandit: Bandit, names: list[str], explore: float = 0.0) -> dict[str, int]:
    chosen = [bandit.choose(names, draw(1, step, "test"), explore=explore) for step in range(600)]
    return {name: chosen.count(name) for name in names}


def test_unknown_arms_are_all_tried() -> None:
    counts = shares(Bandit(0.99), ["a", "b", "c"])
    assert min(counts.values()) > 100


def test_the_arm_that_gains_more_per_cost_is_preferred() -> None:
    bandit = Bandit(1.0)
    for _ in range(100):
        bandit.pay("cheap", gain=0.1, cost=1.0, cpu_s=1.0, improved=False)
        bandit.pay("dear", gain=0.2, cost=20.0, cpu_s=20.0, improved=False)
    counts = shares(bandit, ["cheap", "dear"])
    assert counts["cheap"] > 10 * counts["dear"]


def test_old_evidence_fades() -> None:
    bandit = Bandit(0.9)
    for _ in range(50):
        bandit.pay("early", gain=2.0, cost=1.0, cpu_s=1.0, improved=True)
    early = bandit.rate("early")
    for _ in range(100):
        bandit.pay("late", gain=0.5, cost=1.0, cpu_s=1.0, improved=False)
    assert bandit.rate("early") < 0.8 * early
    assert bandit.arms["early"].total_gain == 100.0


def test_exploring_gives_every_arm_its_share() -> None:
    bandit = Bandit(1.0)
    for _ in range(500):
        bandit.pay("good", gain=1.0, cost=1.0, cpu_s=1.0, improved=True)
        bandit.pay("bad", gain=0.0, cost=1.0, cpu_s=1.0, improved=False)
    assert shares(bandit, ["good", "bad"], explore=0.2)["bad"] > 30
