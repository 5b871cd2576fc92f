"""multirm: train reward models, score pools of solutions with them, and compare them.

Needs a study (config/*.yaml; by default the miniature) and makes everything in `all`: the tables and figures of each
dataset that the study evaluates on.
"""

from snakemake.utils import min_version

min_version("9.20")


# A study named with --configfile replaces the miniature; the two are not merged.
if "study" not in config and not workflow.configfiles:

    configfile: "config/config.yaml"


report: "workflow/report/study.rst"


include: "workflow/rules/common.smk"


# As rules name them: <results>, <logs> and <benchmarks>.
pathvars:
    results=study.results,
    logs=f"{study.results}/logs",
    benchmarks=f"{study.results}/benchmarks",


include: "workflow/rules/data.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/critiques.smk"
include: "workflow/rules/trees.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/scoring.smk"
include: "workflow/rules/searches.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/page.smk"


rule all:
    default_target: True
    input:
        wanted,
    # Instead of a list of all of its files, which are hundreds.
    message:
        f"Finish {study.study}"


onstart:
    # Check now what would otherwise stop a job after days: what the site, the machine or the hub lacks.
    jobs_to_run = list(workflow.dag.needrun_jobs())
    try:
        replaced = planned_jobs.replaced_files(
            jobs_to_run, workflow.persistence, workflow.dag.dependencies
        )
        check_owners(OWNER, replaced)
        if workflow.executor_plugin.name == "slurm":
            from multirm.site.slurm import check_site

            group_of = workflow.dag.get_job_group
            check_site(SITE, planned_jobs.submissions(jobs_to_run, group_of))
        if not workflow.deployment_settings.deployment_method:
            check_engines(
                planned_jobs.used_engines(jobs_to_run), Path(workflow.basedir)
            )
        check_access(planned_jobs.hub_models(study, jobs_to_run))
        note_owner(OWNER, planned_jobs.made_files(jobs_to_run))
    except InputError as error:
        sys.exit(f"multirm: {error}")


onsuccess:
    if "all" in (workflow.dag_settings.targets or ["all"]):
        tables = files.accuracy_tables(study, study.results)
        described, answers = (
            [Path(table).with_name(f"{name}.parquet") for table in tables]
            for name in ("reward_models", "headline")
        )
        if tables:
            shell(
                "python -m multirm summary --accuracy {tables:q} --reward-models {described:q}"
                " --headline {answers:q}"
            )
        print(
            f"\nFigures are in {study.results}/figures, tables in {study.results}/evaluation."
        )
        if tables:
            print(f"Everything is on one page: {study.results}/report.html")
