"""Needs the study's sources; makes results/data/{dataset}/{category}.parquet (solutions).

This is a dataset's table, whether it is read, generated or derived from another one. What reward models learn only of
some steps has a labels table beside it, in results/labels/.
"""

wanted += targets.data_targets(study)


rule generate_miniature:
    """Write questions about facts, and solutions of a simulated policy."""
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
        open_questions=ask(options.open_questions),
        seed=study.seed,
    message:
        "Generate {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm generate-miniature --category {wildcards.category}"
        " --dataset {wildcards.dataset} --policy {params.policy} --split {params.split}"
        " --questions {params.questions} --solutions {params.solutions}"
        " --label-noise {params.label_noise} {params.open_questions} --seed {params.seed}"
        " --output-questions {output.questions:q} --output-solutions {output.solutions:q} > {log:q} 2>&1"


rule read_solutions:
    """Read solutions from files or from the hub."""
    input:
        files=ask(files.dataset_sources),
        environment=environment("core"),
    output:
        solutions="<results>/data/{dataset}/{category}.parquet",
    log:
        "<logs>/read_solutions/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/read_solutions/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_read_with_labels(study, False),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.read"),
        reader=lambda w: study.datasets[w.dataset].reader,
        source=ask(options.dataset_places),
        labels=lambda w, output: options.option("--output-labels", output.get("labels")),
        limit=ask(options.limit),
        repair=ask(options.repair),
        seed=study.seed,
    message:
        "Read {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm read-solutions --reader {params.reader} --source {params.source:q}"
        " --dataset {wildcards.dataset} --category {wildcards.category} --output {output.solutions:q}"
        " {params.labels:q} {params.limit:q} {params.repair:q} --seed {params.seed} > {log:q} 2>&1"


use rule read_solutions as read_labelled_solutions with:
    output:
        solutions="<results>/data/{dataset}/{category}.parquet",
        labels="<results>/labels/{dataset}/{category}.parquet",
    log:
        "<logs>/read_labelled_solutions/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/read_labelled_solutions/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_read_with_labels(study, True),
    message:
        "Read {wildcards.dataset}, {wildcards.category}, and the labels of its steps"


rule add_noise:
    """Flip labels of a random share of solutions."""
    input:
        solutions=ask(files.source_table),
        environment=environment("core"),
    output:
        "<results>/data/{dataset}/{category}.parquet",
    log:
        "<logs>/add_noise/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/add_noise/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_derived_by(study, "noise"),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.noise"),
        share=lambda w: study.datasets[w.dataset].noise.share,
        steps=lambda w: study.datasets[w.dataset].noise.steps,
        outcomes=lambda w: study.datasets[w.dataset].noise.outcomes,
        seed=study.seed,
    message:
        "Add noise to {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm add-noise --solutions {input.solutions:q}"
        " --dataset {wildcards.dataset} --output {output:q} --share {params.share} --steps {params.steps} --outcomes {params.outcomes}"
        " --seed {params.seed} > {log:q} 2>&1"


rule add_noise_to_labels:
    """Flip the labels in a labels table of the steps that `add_noise` flips."""
    input:
        solutions=ask(files.source_table),
        labels=ask(label_files.source_labels),
        environment=environment("core"),
    output:
        "<results>/labels/{dataset}/{category}.parquet",
    log:
        "<logs>/add_noise_to_labels/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/add_noise_to_labels/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.noisy_datasets_with_labels(study),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.noisy_labels"),
        share=lambda w: study.datasets[w.dataset].noise.share,
        steps=lambda w: study.datasets[w.dataset].noise.steps,
        seed=study.seed,
    message:
        "Add noise to the labels of {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm add-noise-to-labels --solutions {input.solutions:q} --labels {input.labels:q}"
        " --dataset {wildcards.dataset} --output {output:q} --share {params.share} --steps {params.steps}"
        " --seed {params.seed} > {log:q} 2>&1"


rule shuffle_steps:
    """Replace intermediate steps by those of solutions to other questions."""
    input:
        solutions=ask(files.source_table),
        environment=environment("core"),
    output:
        "<results>/data/{dataset}/{category}.parquet",
    log:
        "<logs>/shuffle_steps/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/shuffle_steps/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_derived_by(study, "shuffle"),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.shuffle"),
        seed=study.seed,
    message:
        "Shuffle the steps of {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm shuffle-steps --solutions {input.solutions:q}"
        " --dataset {wildcards.dataset} --output {output:q}"
        " --seed {params.seed} > {log:q} 2>&1"


rule take:
    """Keep some of the questions, of the solutions to each, or of the first steps."""
    input:
        solutions=ask(files.source_table),
        environment=environment("core"),
    output:
        "<results>/data/{dataset}/{category}.parquet",
    log:
        "<logs>/take/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/take/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_derived_by(study, "take"),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.take"),
        amounts=ask(options.take),
        seed=study.seed,
    message:
        "Take {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm take --solutions {input.solutions:q}"
        " --dataset {wildcards.dataset} --output {output:q} {params.amounts}"
        " --seed {params.seed} > {log:q} 2>&1"
