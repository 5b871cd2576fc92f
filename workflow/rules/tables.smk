"""Needs what the other stages make; makes results/tables/{table}/{study or dataset}.{parquet,tex,md,csv}.

`study.report_tables` says which tables for readers there are: each has a rule of this form.
"""

wanted += report_files.report_targets(study)

for table_name, report_table in report_files.report_tables_of(study).items():
    tabulated_of = study.study if report_table.of_study else "{dataset}"

    rule:
        name:
            f"tabulate_{table_name}"
        input:
            **report_files.inputs_of(study, table_name),
            environment=environment("core"),
        output:
            parquet=f"<results>/tables/{table_name}/{tabulated_of}.parquet",
            tex=f"<results>/tables/{table_name}/{tabulated_of}.tex",
            md=f"<results>/tables/{table_name}/{tabulated_of}.md",
            csv=report(
                f"<results>/tables/{table_name}/{tabulated_of}.csv",
                caption=f"../report/{report_table.module}.rst",
                category="Tables",
                labels={"of": tabulated_of, "table": table_name},
            ),
        log:
            f"<logs>/tabulate_{table_name}/{tabulated_of}.log",
        benchmark:
            f"<benchmarks>/tabulate_{table_name}/{tabulated_of}.tsv"
        conda:
            "../../envs/core.yaml"
        resources:
            **TABLES,
        params:
            *code(f"multirm.report.{report_table.module}"),
            command=report_table.command,
            words=partial(report_files.report_words, report_table.inputs),
            of=lambda w: w.get("dataset", study.study),
        message:
            f"Tabulate {table_name} of {{params.of}}"
        shell:
            "python -m multirm {params.command} {params.words:q} --output {output:q} > {log:q} 2>&1"
