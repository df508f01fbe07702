"""What the package costs whoever imports it."""

import subprocess
import sys

HEAVY = {"numpy", "scipy", "optuna", "cma", "pydantic", "rich", "jinja2", "sqlite3"}


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded_after("import quiltwork") & HEAVY


def test_importing_the_log_needs_no_numbers() -> None:
    assert not loaded_after("import quiltwork.log") & {"numpy", "scipy", "optuna", "pydantic", "rich"}


def test_the_command_line_starts_without_the_rooms() -> None:
    assert not loaded_after("import quiltwork.cli.main") & {"numpy", "scipy", "optuna", "cma", "jinja2"}
