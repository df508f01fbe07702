"""A ShinkaEvolve configuration as data: out of a YAML file, and out of `run_evo.py` without running it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, Final

from quiltwork.evolve.neighbours.folder import NeighbourError
from quiltwork.evolve.neighbours.table import Row

_TABLES: Final = {
    "EvolutionConfig": "evo_config",
    "DatabaseConfig": "db_config",
    "LocalJobConfig": "job_config",
    "SlurmCondaJobConfig": "job_config",
    "SlurmEnvJobConfig": "job_config",
    "SlurmDockerJobConfig": "job_config",
}
_RUNNERS: Final = ("ShinkaEvolveRunner", "EvolutionRunner", "AsyncEvolutionRunner")
_OF_RUNNER: Final = ("max_evaluation_jobs", "max_proposal_jobs", "max_db_workers", "verbose", "debug", "banner_style")


class NotPlain(Exception):
    """An expression whose value only running it would tell."""


def read_configs(folder: Path) -> tuple[dict[str, Any], list[Row], list[str]]:
    """What the folder's configuration says, rows for what could not be read, and the names of the files that were read."""
    config: dict[str, Any] = {}
    unread: list[Row] = []
    files: list[str] = []
    found = [(path, table) for path in _yamls(folder) if (table := _yaml(path))]
    if found:
        files.append(found[0][0].name)
        config.update(found[0][1])
    unread += [Row(path.name, "", False, f"several configurations; {files[0]} was read") for path, _ in found[1:]]
    script = folder / "run_evo.py"
    if script.is_file():
        files.append(script.name)
        _script(script, config, unread)
    return config, unread, files


def _yamls(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.is_file())


def _yaml(path: Path) -> dict[str, Any] | None:
    """The tables of a YAML file that is a configuration; None where it is about something else."""
    import yaml

    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise NeighbourError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(found, dict) or not {"evo_config", "db_config", "job_config"} & found.keys():
        return None
    return {str(key): dict(value) if isinstance(value, dict) else value for key, value in found.items()}


def _script(path: Path, config: dict[str, Any], unread: list[Row]) -> None:
    """Read the keywords of the configurations' calls, as far as they are plain data."""
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except (SyntaxError, ValueError) as error:
        raise NeighbourError(f"{path}:{getattr(error, 'lineno', 1)}: {getattr(error, 'msg', error)}") from error
    names = _constants(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in _TABLES:
            into = config.setdefault(_TABLES[called], {})
            _keywords(node, f"{_TABLES[called]}.", into, names, unread, path.name)
        elif called in _RUNNERS:
            kept = [keyword for keyword in node.keywords if keyword.arg in _OF_RUNNER]
            _keywords(ast.Call(node.func, [], kept), "", config, names, unread, path.name)


def _keywords(
    call: ast.Call, prefix: str, into: dict[str, Any], names: dict[str, Any], unread: list[Row], file: str
) -> None:
    for keyword in call.keywords:
        try:
            value = _value(keyword.value, names)
            found = dict(value) if keyword.arg is None else {keyword.arg: value}
        except (NotPlain, TypeError, ValueError):
            text = ast.unparse(keyword.value)
            key = f"{prefix}{keyword.arg or '**' + text}"
            said = f"not plain data ({file}:{keyword.value.lineno}), so it was not read; write it into problem.toml"
            unread.append(Row(key, text[:40], False, said))
        else:
            into.update(found)


def _constants(tree: ast.Module) -> dict[str, Any]:
    """Names that are assigned exactly once, at the top of the file, with plain data."""
    counts: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            counts[node.id] = counts.get(node.id, 0) + 1
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            try:
                value = _value(node.value, found)
            except NotPlain:
                continue
            if counts[name] == 1:
                found[name] = value
    return found


def _value(node: ast.expr, names: dict[str, Any]) -> Any:
    match node:
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item, names) for item in items]
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {_value(key, names): _value(value, names) for key, value in zip(keys, values, strict=True) if key}
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords) if all(each.arg for each in keywords):
            return {each.arg: _value(each.value, names) for each in keywords}
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise NotPlain from None
