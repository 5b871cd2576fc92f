"""Needs tables of evaluation; makes results/figures/{figure}/{dataset}.{svg,pdf,png,html}.

`study.figures` says which figures there are: each has a rule of this form.
The names that two of them had before, {dataset}_{figure}, are links to them for one version.
"""

wanted += targets.figure_targets(study)

for figure_name, figure in FIGURES.items():

    rule:
        name:
            f"draw_{figure_name}"
        input:
            **{
                table: f"<results>/evaluation/{{dataset}}/{table}.parquet"
                for table in figure.tables
            },
            environment=environment("core"),
        output:
            svg=f"<results>/figures/{figure_name}/{{dataset}}.svg",
            pdf=f"<results>/figures/{figure_name}/{{dataset}}.pdf",
            png=report(
                f"<results>/figures/{figure_name}/{{dataset}}.png",
                caption=f"../report/{figure.module}.rst",
                category=figure.topic,
                labels={
                    "dataset": "{dataset}",
                    "figure": figure_name,
                    "as": "picture",
                },
            ),
            html=report(
                f"<results>/figures/{figure_name}/{{dataset}}.html",
                caption=f"../report/{figure.module}.rst",
                category=figure.topic,
                labels={"dataset": "{dataset}", "figure": figure_name, "as": "page"},
            ),
        log:
            f"<logs>/draw_{figure_name}/{{dataset}}.log",
        benchmark:
            f"<benchmarks>/draw_{figure_name}/{{dataset}}.tsv"
        conda:
            "../../envs/core.yaml"
        resources:
            **TABLES,
        params:
            *code(f"multirm.figures.{figure.module}"),
            command=figure.command,
            tables=partial(options.drawn_tables, figure.tables),
            words=figure.words(study),
            figures=subpath(output.png, ancestor=2),
            former_name=figure_name if figure.was_renamed else "",
        message:
            f"Draw {figure_name} of {{wildcards.dataset}}"
        shell:
            "python -m multirm {params.command} {params.tables:q} {params.words} --output {output:q} > {log:q} 2>&1;"
            " for name in {params.former_name}; do for format in svg pdf png html; do"
            " ln -sfn $name/{wildcards.dataset}.$format {params.figures:q}/{wildcards.dataset}_$name.$format;"
            " done; done"
