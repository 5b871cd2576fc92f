"""Needs the study's sources; makes results/data/{dataset}/{category}.parquet (solutions)."""


rule generate_miniature:
    """Write questions about facts, and the answers of a simulated policy."""
    input:
        code=code("multirm.data.miniature.generate"),
        environment=environment("core"),
    output:
        questions="<results>/questions/{dataset}/{category}.parquet",
        solutions="<results>/data/{dataset}/{category}.parquet",
    log:
        "<logs>/generate_miniature/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/generate_miniature/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=named("datasets", reader=["miniature"]),
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=asked(table_request, "mem_mb"),
        runtime=asked(table_request, "runtime"),
    params:
        policy=lookup("datasets/{dataset}/policy", within=config),
        split=lookup("datasets/{dataset}/split", within=config),
        questions=lookup("datasets/{dataset}/questions", within=config),
        solutions=lookup("datasets/{dataset}/solutions", within=config),
        label_noise=lookup("datasets/{dataset}/label_noise", within=config),
        seed=lookup("seed", within=config),
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
        files=dataset_sources,
        code=code("multirm.data.read"),
        environment=environment("core"),
    output:
        "<results>/data/{dataset}/{category}.parquet",
    log:
        "<logs>/read_solutions/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/read_solutions/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=named(
            "datasets",
            reader=["mmlu_pro", "gsm8k", "prm800k", "prmbench", "published"],
        ),
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=asked(table_request, "mem_mb"),
        runtime=asked(table_request, "runtime"),
    params:
        reader=lookup("datasets/{dataset}/reader", within=config),
        source=lambda wildcards: [str(place) for place in dataset_places(wildcards)],
        limit=lambda wildcards: option(
            "--limit", config["datasets"][wildcards.dataset]["questions"]
        ),
        seed=lookup("seed", within=config),
    message:
        "Read {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm read-solutions --reader {params.reader} --source {params.source:q}"
        " --dataset {wildcards.dataset} --category {wildcards.category} --output {output:q}"
        " {params.limit:q} --seed {params.seed} > {log:q} 2>&1"
