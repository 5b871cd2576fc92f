"""Needs reward models, adapters with their backbones or from elsewhere, and solutions.

Makes results/rewards/{model}/{dataset}/{category}.parquet.

A model with several shards is scored by one job per shard; their tables are then joined.
"""

wanted += targets.scoring_targets(study)


rule score_discriminative:
    """Compute a reward from the logits at the end of each step."""
    input:
        backbone=ask(files.backbone_files_of_model),
        own=ask(files.own_files),
        format=ask(files.format_files),
        solutions="<results>/data/{dataset}/{category}.parquet",
        environment=environment(ask(needs.scoring_stage)),
    output:
        "<results>/rewards/{model}/{dataset}/{category}.parquet",
    log:
        "<logs>/score_discriminative/{model}/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/score_discriminative/{model}/{dataset}/{category}.tsv"
    wildcard_constraints:
        model=targets.scored(study, "dORM", "dPRM", "pairwise", in_shards=False),
    conda:
        lambda w: f"../../envs/{needs.scoring_stage(study, w.model)}.yaml"
    threads: threads_of(needs.scoring)
    resources:
        **resources_of(needs.scoring),
    params:
        *code("multirm.scoring.discriminative"),
        folder=scoring_model,
        format=ask(options.format_of_model),
        engine=lambda w: study.runs[w.model].scoring.engine,
        batch_tokens=ask(options.batch_tokens),
        dtype=lambda w: study.runs[w.model].scoring.dtype,
        shard=ask(options.shard),
    message:
        "Score {wildcards.dataset}, {wildcards.category} with {wildcards.model}"
    shell:
        "in_environment_of {params.engine};"
        " python -m multirm score-discriminative --model {wildcards.model}={params.folder:q}"
        " --solutions {input.solutions:q} --output {output:q} {params.format:q}"
        " --engine {params.engine} {params.batch_tokens} --dtype {params.dtype} --shard {params.shard} > {log:q} 2>&1"


use rule score_discriminative as score_discriminative_shard with:
    output:
        temp(
            "<results>/shards/{model}/{dataset}/{category}/{shard}-of-{shards}.parquet"
        ),
    log:
        "<logs>/score_discriminative/{model}/{dataset}/{category}/{shard}-of-{shards}.log",
    benchmark:
        "<benchmarks>/score_discriminative/{model}/{dataset}/{category}/{shard}-of-{shards}.tsv"
    wildcard_constraints:
        model=targets.scored(study, "dORM", "dPRM", "pairwise", in_shards=True),
    message:
        "Score {wildcards.dataset}, {wildcards.category} with {wildcards.model},"
        " {wildcards.shard} of {wildcards.shards}"


rule score_generative:
    """Sample critiques of each solution, and compute a reward from each verdict's probabilities."""
    input:
        backbone=ask(files.backbone_files_of_model),
        own=ask(files.own_files),
        solutions="<results>/data/{dataset}/{category}.parquet",
        template=ask(files.template_of_model, templates=TEMPLATES),
        environment=environment(ask(needs.scoring_stage)),
    output:
        rewards="<results>/rewards/{model}/{dataset}/{category}.parquet",
        critiques="<results>/rewards/{model}/{dataset}/{category}.critiques.parquet",
    log:
        "<logs>/score_generative/{model}/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/score_generative/{model}/{dataset}/{category}.tsv"
    wildcard_constraints:
        model=targets.scored(study, "gORM", "gPRM", in_shards=False),
    conda:
        lambda w: f"../../envs/{needs.scoring_stage(study, w.model)}.yaml"
    threads: threads_of(needs.scoring)
    resources:
        **resources_of(needs.scoring),
    params:
        *code("multirm.scoring.generative"),
        folder=scoring_model,
        format=ask(options.format_of_model),
        kind=lambda w: study.runs[w.model].kind,
        engine=lambda w: study.runs[w.model].scoring.engine,
        server=ask(options.server),
        dtype=lambda w: study.runs[w.model].scoring.dtype,
        samples=lambda w: study.runs[w.model].scoring.samples,
        max_tokens=lambda w: study.runs[w.model].scoring.max_tokens,
        temperature=lambda w: study.runs[w.model].scoring.temperature,
        top_p=lambda w: study.runs[w.model].scoring.top_p,
        top_k=lambda w: study.runs[w.model].scoring.top_k,
        min_p=lambda w: study.runs[w.model].scoring.min_p,
        adaptive=ask(options.adaptive),
        template=ask(options.template_of_model),
        seed=study.seed,
        shard=ask(options.shard),
    message:
        "Score {wildcards.dataset}, {wildcards.category} with {wildcards.model}"
    shell:
        "in_environment_of {params.engine};"
        " python -m multirm score-generative --kind {params.kind} --model {params.folder:q}"
        " --name {wildcards.model} {params.format:q} --engine {params.engine} {params.server:q}"
        " --solutions {input.solutions:q}"
        " --output {output.rewards:q} --output-critiques {output.critiques:q}"
        " --dtype {params.dtype} --samples {params.samples} --max-tokens {params.max_tokens}"
        " --temperature {params.temperature} --top-p {params.top_p} --top-k {params.top_k}"
        " --min-p {params.min_p} {params.adaptive:q} {params.template:q}"
        " --seed {params.seed} --shard {params.shard} > {log:q} 2>&1"


use rule score_generative as score_generative_shard with:
    output:
        rewards=temp(
            "<results>/shards/{model}/{dataset}/{category}/{shard}-of-{shards}.parquet"
        ),
        critiques=temp(
            "<results>/shards/{model}/{dataset}/{category}/{shard}-of-{shards}.critiques.parquet"
        ),
    log:
        "<logs>/score_generative/{model}/{dataset}/{category}/{shard}-of-{shards}.log",
    benchmark:
        "<benchmarks>/score_generative/{model}/{dataset}/{category}/{shard}-of-{shards}.tsv"
    wildcard_constraints:
        model=targets.scored(study, "gORM", "gPRM", in_shards=True),
    message:
        "Score {wildcards.dataset}, {wildcards.category} with {wildcards.model},"
        " {wildcards.shard} of {wildcards.shards}"


rule join_rewards:
    """Join the shards of a table of rewards."""
    input:
        solutions="<results>/data/{dataset}/{category}.parquet",
        rewards=ask(files.shard_tables, suffix="parquet"),
        environment=environment("core"),
    output:
        "<results>/rewards/{model}/{dataset}/{category}.parquet",
    log:
        "<logs>/join_rewards/{model}/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/join_rewards/{model}/{dataset}/{category}.tsv"
    wildcard_constraints:
        model=targets.scored(study, "dORM", "dPRM", "pairwise", in_shards=True),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.scoring.shards"),
    message:
        "Join the rewards of {wildcards.dataset}, {wildcards.category} by {wildcards.model}"
    shell:
        "python -m multirm join-shards --solutions {input.solutions:q}"
        " --shards {input.rewards:q} --output {output:q} > {log:q} 2>&1"


rule join_rewards_and_critiques:
    """Join the shards of a table of rewards, and those of the critiques behind them."""
    input:
        solutions="<results>/data/{dataset}/{category}.parquet",
        rewards=ask(files.shard_tables, suffix="parquet"),
        critiques=ask(files.shard_tables, suffix="critiques.parquet"),
        environment=environment("core"),
    output:
        rewards="<results>/rewards/{model}/{dataset}/{category}.parquet",
        critiques="<results>/rewards/{model}/{dataset}/{category}.critiques.parquet",
    log:
        "<logs>/join_rewards_and_critiques/{model}/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/join_rewards_and_critiques/{model}/{dataset}/{category}.tsv"
    wildcard_constraints:
        model=targets.scored(study, "gORM", "gPRM", in_shards=True),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.scoring.shards"),
    message:
        "Join the rewards of {wildcards.dataset}, {wildcards.category} by {wildcards.model}"
    shell:
        "(python -m multirm join-shards --solutions {input.solutions:q}"
        " --shards {input.critiques:q} --output {output.critiques:q}"
        " && python -m multirm join-shards --solutions {input.solutions:q}"
        " --shards {input.rewards:q} --output {output.rewards:q}) > {log:q} 2>&1"


rule read_rewards:
    """Read external rewards."""
    input:
        files=ask(files.reward_sources),
        solutions="<results>/data/{dataset}/{category}.parquet",
        environment=environment("core"),
    output:
        "<results>/rewards/{model}/{dataset}/{category}.parquet",
    log:
        "<logs>/read_rewards/{model}/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/read_rewards/{model}/{dataset}/{category}.tsv"
    wildcard_constraints:
        model=targets.external_models(study),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.read"),
        source=ask(options.reward_places),
        reward_type=ask(options.reward_type),
    message:
        "Read rewards of {wildcards.dataset}, {wildcards.category} by {wildcards.model}"
    shell:
        "python -m multirm read-rewards --source {params.source:q} --dataset {wildcards.dataset}"
        " --category {wildcards.category} --model {wildcards.model}"
        " --solutions {input.solutions:q} --output {output:q} {params.reward_type} > {log:q} 2>&1"
