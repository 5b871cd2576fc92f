"""Needs accuracy tables; makes results/figures/{dataset}_{selection,legend}.{svg,pdf,png,html}."""

wanted += targets.figure_targets(study)


rule draw_accuracy_grid:
    """Draw accuracy against the number of solutions, overall and in each category."""
    input:
        accuracy="<results>/evaluation/{dataset}/accuracy.parquet",
        environment=environment("core"),
    output:
        svg="<results>/figures/{dataset}_{selection}.svg",
        pdf="<results>/figures/{dataset}_{selection}.pdf",
        png=report(
            "<results>/figures/{dataset}_{selection}.png",
            caption="../report/accuracy_grid.rst",
            category="Accuracy",
            labels={
                "dataset": "{dataset}",
                "selection": "{selection}",
                "as": "picture",
            },
        ),
        html=report(
            "<results>/figures/{dataset}_{selection}.html",
            caption="../report/accuracy_grid.rst",
            category="Accuracy",
            labels={"dataset": "{dataset}", "selection": "{selection}", "as": "page"},
        ),
    log:
        "<logs>/draw_accuracy_grid/{dataset}_{selection}.log",
    benchmark:
        "<benchmarks>/draw_accuracy_grid/{dataset}_{selection}.tsv"
    wildcard_constraints:
        selection="best_of_n|weighted_vote",
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.figures.accuracy_grid"),
        ceiling="--ceiling" if study.figures.ceiling else "",
    message:
        "Draw {wildcards.selection} on {wildcards.dataset}"
    shell:
        "python -m multirm draw-accuracy-grid --accuracy {input.accuracy:q}"
        " --selection {wildcards.selection} --output {output:q} {params.ceiling} > {log:q} 2>&1"


rule draw_legend:
    """Draw the legend of the figures of a dataset by itself."""
    input:
        accuracy="<results>/evaluation/{dataset}/accuracy.parquet",
        environment=environment("core"),
    output:
        multiext(
            "<results>/figures/{dataset}_legend",
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
