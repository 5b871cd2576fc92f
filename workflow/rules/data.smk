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
        policy=setting("datasets/{dataset}/policy"),
        split=setting("datasets/{dataset}/split"),
        questions=setting("datasets/{dataset}/questions"),
        solutions=setting("datasets/{dataset}/solutions"),
        label_noise=setting("datasets/{dataset}/label_noise"),
        seed=config["seed"],
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
        reader=setting("datasets/{dataset}/reader"),
        source=lambda wildcards: [str(place) for place in dataset_places(wildcards)],
        limit=lambda wildcards: option(
            "--limit", config["datasets"][wildcards.dataset]["questions"]
        ),
        seed=config["seed"],
    message:
        "Read {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm read-solutions --reader {params.reader} --source {params.source:q}"
        " --dataset {wildcards.dataset} --category {wildcards.category} --output {output:q}"
        " {params.limit:q} --seed {params.seed} > {log:q} 2>&1"
