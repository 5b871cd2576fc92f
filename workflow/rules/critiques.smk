"""Needs solutions and a teacher; makes results/critiques/{kind}/: {stage}/{category}.parquet, checks.parquet."""


rule generate_critiques:
    """Let the teacher verify each training solution several times."""
    input:
        teacher=(
            backbone_files(critique_setting("teacher"))
            if critique_setting("teacher")
            else []
        ),
        solutions=lambda wildcards: (
            f"<results>/data/{config['critiques']['dataset']}/{wildcards.category}.parquet"
        ),
        template=lambda wildcards: used_template(wildcards.kind),
        code=code("multirm.critiques.generate"),
        environment=environment(engine_stage(critique_setting("engine"))),
    output:
        "<results>/critiques/{kind}/generated/{category}.parquet",
    log:
        "<logs>/generate_critiques/{kind}/{category}.log",
    benchmark:
        "<benchmarks>/generate_critiques/{kind}/{category}.tsv"
    wildcard_constraints:
        kind=teacher_writes(),
    conda:
        f"../../envs/{engine_stage(critique_setting('engine'))}.yaml"
    threads: cores(critiques_request)
    resources:
        gpu=asked(critiques_request, "gpu"),
        mem_mb=asked(critiques_request, "mem_mb"),
        runtime=asked(critiques_request, "runtime"),
    params:
        teacher=lambda wildcards: backbone_model(config["critiques"]["teacher"]),
        engine=critique_setting("engine"),
        server=option("--server", critique_setting("server")),
        per_solution=critique_setting("per_solution"),
        max_tokens=critique_setting("max_tokens"),
        temperature=critique_setting("temperature"),
        top_p=critique_setting("top_p"),
        top_k=critique_setting("top_k"),
        min_p=critique_setting("min_p"),
        template=lambda wildcards: option("--template", *template_files(wildcards.kind)),
        seed=config["seed"],
    message:
        "Generate {wildcards.kind} critiques, {wildcards.category}"
    shell:
        "in_environment_of {params.engine};"
        " python -m multirm generate-critiques --kind {wildcards.kind} --teacher {params.teacher:q}"
        " --engine {params.engine} {params.server:q}"
        " --solutions {input.solutions:q} --output {output:q}"
        " --per-solution {params.per_solution} --max-tokens {params.max_tokens}"
        " --temperature {params.temperature} --top-p {params.top_p} --top-k {params.top_k}"
        " --min-p {params.min_p} {params.template:q} --seed {params.seed} > {log:q} 2>&1"


rule filter_critiques:
    """Mark the critiques that are not to be learned from, each with its reason."""
    input:
        solutions=lambda wildcards: (
            f"<results>/data/{config['critiques']['dataset']}/{wildcards.category}.parquet"
        ),
        critiques="<results>/critiques/{kind}/generated/{category}.parquet",
        code=code("multirm.critiques.filter"),
        environment=environment("core"),
    output:
        "<results>/critiques/{kind}/filtered/{category}.parquet",
    log:
        "<logs>/filter_critiques/{kind}/{category}.log",
    benchmark:
        "<benchmarks>/filter_critiques/{kind}/{category}.tsv"
    wildcard_constraints:
        kind=teacher_writes(),
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=asked(table_request, "mem_mb"),
        runtime=asked(table_request, "runtime"),
    params:
        max_length=critique_setting("max_length"),
        seed=config["seed"],
        agreement=critique_setting("agreement"),
    message:
        "Filter {wildcards.kind} critiques, {wildcards.category}"
    shell:
        "python -m multirm filter-critiques --kind {wildcards.kind} --critiques {input.critiques:q}"
        " --solutions {input.solutions:q} --output {output:q}"
        " --max-length {params.max_length} --seed {params.seed} --agreement {params.agreement}"
        " > {log:q} 2>&1"


rule shorten_critiques:
    """Cut what follows the end of thinking down to the verdict."""
    input:
        critiques="<results>/critiques/{kind}/filtered/{category}.parquet",
        code=code("multirm.critiques.shorten"),
        environment=environment("core"),
    output:
        "<results>/critiques/{kind}/shortened/{category}.parquet",
    log:
        "<logs>/shorten_critiques/{kind}/{category}.log",
    benchmark:
        "<benchmarks>/shorten_critiques/{kind}/{category}.tsv"
    wildcard_constraints:
        kind=teacher_writes(),
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=asked(table_request, "mem_mb"),
        runtime=asked(table_request, "runtime"),
    message:
        "Shorten {wildcards.kind} critiques, {wildcards.category}"
    shell:
        "python -m multirm shorten-critiques --kind {wildcards.kind} --critiques {input.critiques:q}"
        " --output {output:q} > {log:q} 2>&1"


rule read_critiques:
    """Read critiques that somebody has published."""
    input:
        files=critique_sources,
        solutions=lambda wildcards: (
            f"<results>/data/{config['critiques']['dataset']}/{wildcards.category}.parquet"
        ),
        code=code("multirm.data.published_critiques"),
        environment=environment("core"),
    output:
        "<results>/critiques/{kind}/shortened/{category}.parquet",
    log:
        "<logs>/read_critiques/{kind}/{category}.log",
    benchmark:
        "<benchmarks>/read_critiques/{kind}/{category}.tsv"
    wildcard_constraints:
        kind=published_kinds(),
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=asked(table_request, "mem_mb"),
        runtime=asked(table_request, "runtime"),
    params:
        dataset=critique_setting("dataset"),
        agreement=critique_setting("agreement"),
        source=lambda wildcards: [str(place) for place in critique_places(wildcards)],
    message:
        "Read {wildcards.kind} critiques, {wildcards.category}"
    shell:
        "python -m multirm read-critiques --source {params.source:q} --kind {wildcards.kind}"
        " --dataset {params.dataset} --category {wildcards.category} --solutions {input.solutions:q} --output {output:q}"
        " --agreement {params.agreement} > {log:q} 2>&1"


rule check_critiques:
    """Count what became of the critiques of a kind."""
    input:
        critiques=lambda wildcards: critiques_of(wildcards.kind),
        code=code("multirm.critiques.check"),
        environment=environment("core"),
    output:
        "<results>/critiques/{kind}/checks.parquet",
    log:
        "<logs>/check_critiques/{kind}.log",
    benchmark:
        "<benchmarks>/check_critiques/{kind}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=asked(table_request, "mem_mb"),
        runtime=asked(table_request, "runtime"),
    message:
        "Check {wildcards.kind} critiques"
    shell:
        "python -m multirm check-critiques --kind {wildcards.kind} --critiques {input.critiques:q}"
        " --output {output:q} > {log:q} 2>&1"
