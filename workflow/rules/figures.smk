"""Needs accuracy tables; makes results/figures/{figure}/{dataset}.{svg,pdf,png,html}.

The names that two figures had before, {dataset}_{figure}, are links to them for one version.
"""

wanted += targets.figure_targets(study)


rule draw_accuracy_grid:
    """Draw accuracy against the number of solutions, overall and in each category."""
    input:
        accuracy="<results>/evaluation/{dataset}/accuracy.parquet",
        environment=environment("core"),
    output:
        svg="<results>/figures/{selection}/{dataset}.svg",
        pdf="<results>/figures/{selection}/{dataset}.pdf",
        png=report(
            "<results>/figures/{selection}/{dataset}.png",
            caption="../report/accuracy_grid.rst",
            category="Accuracy",
            labels={
                "dataset": "{dataset}",
                "selection": "{selection}",
                "as": "picture",
            },
        ),
        html=report(
            "<results>/figures/{selection}/{dataset}.html",
            caption="../report/accuracy_grid.rst",
            category="Accuracy",
            labels={"dataset": "{dataset}", "selection": "{selection}", "as": "page"},
        ),
    log:
        "<logs>/draw_accuracy_grid/{selection}/{dataset}.log",
    benchmark:
        "<benchmarks>/draw_accuracy_grid/{selection}/{dataset}.tsv"
    wildcard_constraints:
        selection="best_of_n|weighted_vote",
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.figures.accuracy_grid"),
        ceiling="--ceiling" if study.figures.ceiling else "",
        figures=subpath(output.png, ancestor=2),
    message:
        "Draw {wildcards.selection} on {wildcards.dataset}"
    shell:
        "python -m multirm draw-accuracy-grid --accuracy {input.accuracy:q}"
        " --selection {wildcards.selection} --output {output:q} {params.ceiling} > {log:q} 2>&1;"
        " for format in svg pdf png html; do"
        " ln -sfn {wildcards.selection}/{wildcards.dataset}.$format"
        " {params.figures:q}/{wildcards.dataset}_{wildcards.selection}.$format; done"


rule draw_legend:
    """Draw the legend of the figures of a dataset by itself."""
    input:
        accuracy="<results>/evaluation/{dataset}/accuracy.parquet",
        environment=environment("core"),
    output:
        multiext(
            "<results>/figures/legend/{dataset}",
            svg=".svg",
            pdf=".pdf",
            png=".png",
            html=".html",
        ),
    log:
        "<logs>/draw_legend/{dataset}.log",
    benchmark:
        "<benchmarks>/draw_legend/{dataset}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.figures.legend"),
        ceiling="--ceiling" if study.figures.ceiling else "",
    message:
        "Draw the legend of {wildcards.dataset}"
    shell:
        "python -m multirm draw-legend --accuracy {input.accuracy:q} --output {output:q}"
        " {params.ceiling} > {log:q} 2>&1"
