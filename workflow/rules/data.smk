"""Needs the study's sources; makes results/data/{dataset}/{category}.parquet (solutions)."""

wanted += targets.data_targets(study)


rule generate_miniature:
    """Write questions about facts, and the answers of a simulated policy."""
    input:
        environment=environment("core"),
    output:
        questions="<results>/questions/{dataset}/{category}.parquet",
        solutions="<results>/data/{dataset}/{category}.parquet",
    log:
        "<logs>/generate_miniature/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/generate_miniature/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_read_by(study, "miniature"),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.miniature.generate"),
        policy=lambda w: study.datasets[w.dataset].policy,
        split=lambda w: study.datasets[w.dataset].split,
        questions=lambda w: study.datasets[w.dataset].questions,
        solutions=lambda w: study.datasets[w.dataset].solutions,
        label_noise=lambda w: study.datasets[w.dataset].label_noise,
        seed=study.seed,
    message:
        "Generate {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm generate-miniature --category {wildcards.category}"
        " --dataset {wildcards.dataset} --policy {params.policy} --split {params.split}"
        " --questions {params.questions} --solutions {params.solutions}"
        " --label-noise {params.label_noise} --seed {params.seed}"
        " --output-questions {output.questions:q} --output-solutions {output.solutions:q} > {log:q} 2>&1"


rule read_solutions:
    """Read solutions from somebody's files or from the hub."""
    input:
        files=ask(files.dataset_sources),
        environment=environment("core"),
    output:
        "<results>/data/{dataset}/{category}.parquet",
    log:
        "<logs>/read_solutions/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/read_solutions/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_read_by(study, *Reader),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.read"),
        reader=lambda w: study.datasets[w.dataset].reader,
        source=ask(options.dataset_places),
        limit=ask(options.limit),
        seed=study.seed,
    message:
        "Read {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm read-solutions --reader {params.reader} --source {params.source:q}"
        " --dataset {wildcards.dataset} --category {wildcards.category} --output {output:q}"
        " {params.limit:q} --seed {params.seed} > {log:q} 2>&1"
