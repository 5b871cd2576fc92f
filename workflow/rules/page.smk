"""Needs all tables of a study; makes results/report.html, the page that shows them."""

# Included last: the page shows what all stages make.
shown_tables = report_files.tables_on_page(study, wanted)
wanted += report_files.page_targets(study)


rule report_page:
    """Write the page that shows the study: what helps, its numbers, its solutions, and where all of it is from."""
    input:
        **shown_tables,
        environment=environment("core"),
    output:
        report(
            "<results>/report.html",
            caption="../report/report_page.rst",
            category="Page",
            labels={"of": study.study},
        ),
    log:
        "<logs>/report_page.log",
    benchmark:
        "<benchmarks>/report_page.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **resources_of(needs.page),
    params:
        *code("multirm.report.page.page"),
        tables=lambda w, input: report_files.page_places(input.tables),
        # Times are shown as far as there are some; they make nothing stale.
        benchmarks=lambda w, output: f"{Path(output[0]).parent}/benchmarks",
        study=study.study,
    message:
        f"Write the page of {study.study}"
    shell:
        "python -m multirm report --evaluations {input.evaluations:q} --tables {params.tables:q}"
        " --benchmarks {params.benchmarks:q} --title {params.study:q} --output {output:q} > {log:q} 2>&1"
