"""multirm: train reward models, score pools of solutions with them, and compare them.

Needs a study (config/*.yaml; the miniature where none is named) and makes everything in `all`:
the tables and figures of each dataset that the study evaluates on.
"""

from snakemake.utils import min_version

min_version("9.13")


# A study named with --configfile stands alone: it is not laid over the miniature.
if "study" not in config and not workflow.configfiles:

    configfile: "config/config.yaml"


report: "workflow/report/study.rst"


pathvars:
    logs="results/logs",
    benchmarks="results/benchmarks",


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/critiques.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/scoring.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    input:
        study_files(),
        expand(
            "<results>/figures/{dataset}_{figure}.{format}",
            dataset=config["evaluation"]["datasets"],
            figure=["best_of_n", "weighted_vote", "legend"],
            format=["svg", "pdf", "png", "html"],
        ),
        expand(
            "<results>/evaluation/{dataset}/{table}",
            dataset=config["evaluation"]["datasets"],
            table=[
                "accuracy.parquet",
                "comparisons.parquet",
                "ledger.parquet",
                "variance.parquet",
                "critique_counts.parquet",
                "verification.parquet",
                "reliability.parquet",
                "step_verification.parquet",
                "paper/accuracy.parquet",
                "paper/best_of_n.csv",
                "paper/weighted_vote.csv",
            ],
        ),


onstart:
    # What would stop a job after days: what the site, the machine or the hub does not have.
    jobs_to_run = list(workflow.dag.needrun_jobs())
    try:
        check_owners(config["study"], RESULTS, replaced_files(jobs_to_run))
        if workflow.executor_plugin.name == "slurm":
            from multirm.site.slurm import check_site

            check_site(SITE, submissions(jobs_to_run))
        if not workflow.deployment_settings.deployment_method:
            engines = [job.params.get("engine") for job in jobs_to_run]
            check_engines(engines, Path(workflow.basedir))
        check_access(hub_models(jobs_to_run))
        made = [str(file) for job in jobs_to_run for file in job.output]
        note_owner(config["study"], RESULTS, made)
    except InputError as error:
        sys.exit(f"multirm: {error}")


onsuccess:
    if "all" in (workflow.dag_settings.targets or ["all"]):
        tables = accuracy_tables()
        shell("python -m multirm summary --accuracy {tables:q}")
        print("\nFigures are in results/figures, tables in results/evaluation.")
