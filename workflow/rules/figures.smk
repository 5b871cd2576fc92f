"""Needs tables of evaluation; makes results/figures/{figure}/{dataset or study}.{svg,pdf,png,html}.

`study.figures` says which figures there are: each has a rule of this form.
The names that two of them had before, {dataset}_{figure}, are links to them for one version.
"""

wanted += targets.figure_targets(study)

for figure_name, figure in figures_of(study).items():
    drawn_of = study.study if figure.of_study else "{dataset}"

    rule:
        name:
            f"draw_{figure_name}"
        input:
            **files.drawn_tables(study, figure),
            environment=environment("core"),
        output:
            svg=f"<results>/figures/{figure_name}/{drawn_of}.svg",
            pdf=f"<results>/figures/{figure_name}/{drawn_of}.pdf",
            png=report(
                f"<results>/figures/{figure_name}/{drawn_of}.png",
                caption=f"../report/{figure.module}.rst",
                category=figure.topic,
                labels={
                    "dataset": drawn_of,
                    "figure": figure_name,
                    "as": "picture",
                },
            ),
            html=report(
                f"<results>/figures/{figure_name}/{drawn_of}.html",
                caption=f"../report/{figure.module}.rst",
                category=figure.topic,
                labels={"dataset": drawn_of, "figure": figure_name, "as": "page"},
            ),
        log:
            f"<logs>/draw_{figure_name}/{drawn_of}.log",
        benchmark:
            f"<benchmarks>/draw_{figure_name}/{drawn_of}.tsv"
        conda:
            "../../envs/core.yaml"
        resources:
            **TABLES,
        params:
            *code(f"multirm.figures.{figure.module}"),
            command=figure.command,
            tables=partial(options.drawn_tables, figure.every_table),
            words=figure.words(study),
            figures=subpath(output.png, ancestor=2),
            of=lambda w: w.get("dataset", study.study),
            former_name=figure_name if figure.was_renamed else "",
        message:
            f"Draw {figure_name} of {{params.of}}"
        shell:
            "python -m multirm {params.command} {params.tables:q} {params.words} --output {output:q} > {log:q} 2>&1;"
            " for name in {params.former_name}; do for format in svg pdf png html; do"
            " ln -sfn $name/{params.of}.$format {params.figures:q}/{params.of}_$name.$format;"
            " done; done"
