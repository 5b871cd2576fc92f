"""Needs solutions and teachers; makes {stage}/{category}.parquet and checks.parquet in
results/critiques/{critique_set}/{kind}/.
"""

wanted += targets.critique_targets(study)


rule generate_critiques:
    """Have the teacher verify each training solution several times."""
    input:
        teacher=ask(files.teacher_files),
        solutions=ask(files.criticised_solutions),
        template=ask(files.template_of_critiques, templates=TEMPLATES),
        environment=environment(ask(needs.critiques_stage)),
    output:
        "<results>/critiques/{critique_set}/{kind}/generated/{category}.parquet",
    log:
        "<logs>/generate_critiques/{critique_set}/{kind}/{category}.log",
    benchmark:
        "<benchmarks>/generate_critiques/{critique_set}/{kind}/{category}.tsv"
    wildcard_constraints:
        critique_set=targets.sets_with_teacher(study),
    conda:
        lambda w: f"../../envs/{needs.critiques_stage(study, w.critique_set)}.yaml"
    threads: threads_of(needs.criticising)
    resources:
        **resources_of(needs.criticising),
    params:
        *code("multirm.critiques.generate"),
        teacher=ask(files.teacher),
        engine=lambda w: study.critiques[w.critique_set].engine,
        server=ask(options.teacher_server),
        per_solution=lambda w: study.critiques[w.critique_set].per_solution,
        max_tokens=lambda w: study.critiques[w.critique_set].max_tokens,
        temperature=lambda w: study.critiques[w.critique_set].temperature,
        top_p=lambda w: study.critiques[w.critique_set].top_p,
        top_k=lambda w: study.critiques[w.critique_set].top_k,
        min_p=lambda w: study.critiques[w.critique_set].min_p,
        template=ask(options.template_of_critiques),
        seed=study.seed,
    message:
        "Generate {wildcards.kind} critiques of {wildcards.critique_set}, {wildcards.category}"
    shell:
        "in_environment_of {params.engine};"
        " python -m multirm generate-critiques --kind {wildcards.kind} --teacher {params.teacher:q}"
        " --engine {params.engine} {params.server:q}"
        " --solutions {input.solutions:q} --output {output:q}"
        " --per-solution {params.per_solution} --max-tokens {params.max_tokens}"
        " --temperature {params.temperature} --top-p {params.top_p} --top-k {params.top_k}"
        " --min-p {params.min_p} {params.template:q} --seed {params.seed} > {log:q} 2>&1"


rule filter_critiques:
    """Mark the critiques not to train on, each with its reason."""
    input:
        solutions=ask(files.criticised_solutions),
        critiques=ask(files.generated_critiques),
        environment=environment("core"),
    output:
        "<results>/critiques/{critique_set}/{kind}/filtered/{category}.parquet",
    log:
        "<logs>/filter_critiques/{critique_set}/{kind}/{category}.log",
    benchmark:
        "<benchmarks>/filter_critiques/{critique_set}/{kind}/{category}.tsv"
    wildcard_constraints:
        critique_set=targets.critique_sets(study, external=False),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.critiques.filter"),
        max_length=lambda w: study.critiques[w.critique_set].max_length,
        seed=study.seed,
        agreement=lambda w: study.critiques[w.critique_set].agreement,
        dataset=ask(options.relabelled),
    message:
        "Filter {wildcards.kind} critiques of {wildcards.critique_set}, {wildcards.category}"
    shell:
        "python -m multirm filter-critiques --kind {wildcards.kind} --critiques {input.critiques:q}"
        " --solutions {input.solutions:q} --output {output:q}"
        " --max-length {params.max_length} --seed {params.seed} --agreement {params.agreement} {params.dataset:q}"
        " > {log:q} 2>&1"


rule shorten_critiques:
    """Cut what follows the end of thinking down to the verdict."""
    input:
        critiques="<results>/critiques/{critique_set}/{kind}/filtered/{category}.parquet",
        environment=environment("core"),
    output:
        "<results>/critiques/{critique_set}/{kind}/shortened/{category}.parquet",
    log:
        "<logs>/shorten_critiques/{critique_set}/{kind}/{category}.log",
    benchmark:
        "<benchmarks>/shorten_critiques/{critique_set}/{kind}/{category}.tsv"
    wildcard_constraints:
        critique_set=targets.critique_sets(study, external=False),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.critiques.shorten"),
    message:
        "Shorten {wildcards.kind} critiques of {wildcards.critique_set}, {wildcards.category}"
    shell:
        "python -m multirm shorten-critiques --kind {wildcards.kind} --critiques {input.critiques:q}"
        " --output {output:q} > {log:q} 2>&1"


rule read_critiques:
    """Read external critiques."""
    input:
        files=ask(files.critique_sources),
        solutions=ask(files.criticised_solutions),
        environment=environment("core"),
    output:
        "<results>/critiques/{critique_set}/{kind}/shortened/{category}.parquet",
    log:
        "<logs>/read_critiques/{critique_set}/{kind}/{category}.log",
    benchmark:
        "<benchmarks>/read_critiques/{critique_set}/{kind}/{category}.tsv"
    wildcard_constraints:
        critique_set=targets.critique_sets(study, external=True),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.published_critiques"),
        dataset=lambda w: study.critiques[w.critique_set].dataset,
        agreement=lambda w: study.critiques[w.critique_set].agreement,
        source=ask(options.critique_places),
    message:
        "Read {wildcards.kind} critiques of {wildcards.critique_set}, {wildcards.category}"
    shell:
        "python -m multirm read-critiques --source {params.source:q} --kind {wildcards.kind}"
        " --dataset {params.dataset} --category {wildcards.category} --solutions {input.solutions:q} --output {output:q}"
        " --agreement {params.agreement} > {log:q} 2>&1"


rule check_critiques:
    """Count the kept and dropped critiques of a kind."""
    input:
        critiques=ask(files.critique_tables),
        environment=environment("core"),
    output:
        "<results>/critiques/{critique_set}/{kind}/checks.parquet",
    log:
        "<logs>/check_critiques/{critique_set}/{kind}.log",
    benchmark:
        "<benchmarks>/check_critiques/{critique_set}/{kind}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.critiques.check"),
    message:
        "Check {wildcards.kind} critiques of {wildcards.critique_set}"
    shell:
        "python -m multirm check-critiques --kind {wildcards.kind} --critiques {input.critiques:q}"
        " --output {output:q} > {log:q} 2>&1"
