"""Needs adapters, their backbones and solutions; makes results/rewards/{model}/{dataset}/{category}.parquet.

A model with several shards is scored in so many jobs, whose tables are then put together.
"""


rule score_discriminative:
    """Read a reward off the network at the end of every step."""
    input:
        backbone=backbone_of_model,
        weights="<results>/models/{model}/adapter/adapter_model.safetensors",
        config="<results>/models/{model}/adapter/adapter_config.json",
        solutions="<results>/data/{dataset}/{category}.parquet",
        code=code("multirm.scoring.discriminative"),
        environment=environment("train"),
    output:
        "<results>/rewards/{model}/{dataset}/{category}.parquet",
    log:
        "<logs>/score_discriminative/{model}/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/score_discriminative/{model}/{dataset}/{category}.tsv"
    wildcard_constraints:
        model=scored(["dORM", "dPRM"], in_shards=False),
    conda:
        "../../envs/train.yaml"
    threads: cores(scoring_request)
    resources:
        gpu=asked(scoring_request, "gpu"),
        mem_mb=asked(scoring_request, "mem_mb"),
        runtime=asked(scoring_request, "runtime"),
    params:
        folder=subpath(input.weights, parent=True),
        batch_tokens=batch_tokens,
        dtype=model_setting("dtype", "scoring"),
        shard=shard_of,
    message:
        "Score {wildcards.dataset}, {wildcards.category} with {wildcards.model}"
    shell:
        "python -m multirm score-discriminative --model {wildcards.model}={params.folder:q}"
        " --solutions {input.solutions:q} --output {output:q}"
        " {params.batch_tokens} --dtype {params.dtype} --shard {params.shard} > {log:q} 2>&1"


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
        model=scored(["dORM", "dPRM"], in_shards=True),
    message:
        "Score {wildcards.dataset}, {wildcards.category} with {wildcards.model},"
        " {wildcards.shard} of {wildcards.shards}"


rule score_generative:
    """Sample critiques of each solution, and read a reward off each verdict."""
    input:
        backbone=backbone_of_model,
        weights="<results>/models/{model}/adapter/adapter_model.safetensors",
        config="<results>/models/{model}/adapter/adapter_config.json",
        solutions="<results>/data/{dataset}/{category}.parquet",
        template=used_model_template,
        code=code("multirm.scoring.generative"),
        environment=lambda wildcards: environment(scoring_stage(wildcards)),
    output:
        rewards="<results>/rewards/{model}/{dataset}/{category}.parquet",
        critiques="<results>/rewards/{model}/{dataset}/{category}.critiques.parquet",
    log:
        "<logs>/score_generative/{model}/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/score_generative/{model}/{dataset}/{category}.tsv"
    wildcard_constraints:
        model=scored(["gORM", "gPRM"], in_shards=False),
    conda:
        lambda wildcards: f"../../envs/{scoring_stage(wildcards)}.yaml"
    threads: cores(scoring_request)
    resources:
        gpu=asked(scoring_request, "gpu"),
        mem_mb=asked(scoring_request, "mem_mb"),
        runtime=asked(scoring_request, "runtime"),
    params:
        folder=subpath(input.weights, parent=True),
        kind=model_setting("kind"),
        engine=model_setting("engine", "scoring"),
        server=scoring_server,
        dtype=model_setting("dtype", "scoring"),
        samples=model_setting("samples", "scoring"),
        max_tokens=model_setting("max_tokens", "scoring"),
        temperature=model_setting("temperature", "scoring"),
        top_p=model_setting("top_p", "scoring"),
        top_k=model_setting("top_k", "scoring"),
        min_p=model_setting("min_p", "scoring"),
        adaptive=lambda wildcards: option(
            "--adaptive", config["models"][wildcards.model]["scoring"]["adaptive"]
        ),
        template=lambda wildcards: option("--template", *model_template(wildcards)),
        seed=config["seed"],
        shard=shard_of,
    message:
        "Score {wildcards.dataset}, {wildcards.category} with {wildcards.model}"
    shell:
        "in_environment_of {params.engine};"
        " python -m multirm score-generative --kind {params.kind} --model {params.folder:q}"
        " --name {wildcards.model} --engine {params.engine} {params.server:q}"
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
        model=scored(["gORM", "gPRM"], in_shards=True),
    message:
        "Score {wildcards.dataset}, {wildcards.category} with {wildcards.model},"
        " {wildcards.shard} of {wildcards.shards}"


rule join_rewards:
    """Put the shards of a table of rewards together."""
    input:
        solutions="<results>/data/{dataset}/{category}.parquet",
        rewards=shard_tables("parquet"),
        code=code("multirm.scoring.shards"),
        environment=environment("core"),
    output:
        "<results>/rewards/{model}/{dataset}/{category}.parquet",
    log:
        "<logs>/join_rewards/{model}/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/join_rewards/{model}/{dataset}/{category}.tsv"
    wildcard_constraints:
        model=scored(["dORM", "dPRM"], in_shards=True),
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=asked(table_request, "mem_mb"),
        runtime=asked(table_request, "runtime"),
    message:
        "Join the rewards of {wildcards.dataset}, {wildcards.category} by {wildcards.model}"
    shell:
        "python -m multirm join-shards --solutions {input.solutions:q}"
        " --shards {input.rewards:q} --output {output:q} > {log:q} 2>&1"


rule join_rewards_and_critiques:
    """Put the shards of a table of rewards, and those of the critiques behind them, together."""
    input:
        solutions="<results>/data/{dataset}/{category}.parquet",
        rewards=shard_tables("parquet"),
        critiques=shard_tables("critiques.parquet"),
        code=code("multirm.scoring.shards"),
        environment=environment("core"),
    output:
        rewards="<results>/rewards/{model}/{dataset}/{category}.parquet",
        critiques="<results>/rewards/{model}/{dataset}/{category}.critiques.parquet",
    log:
        "<logs>/join_rewards_and_critiques/{model}/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/join_rewards_and_critiques/{model}/{dataset}/{category}.tsv"
    wildcard_constraints:
        model=scored(["gORM", "gPRM"], in_shards=True),
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=asked(table_request, "mem_mb"),
        runtime=asked(table_request, "runtime"),
    message:
        "Join the rewards of {wildcards.dataset}, {wildcards.category} by {wildcards.model}"
    shell:
        "(python -m multirm join-shards --solutions {input.solutions:q}"
        " --shards {input.critiques:q} --output {output.critiques:q}"
        " && python -m multirm join-shards --solutions {input.solutions:q}"
        " --shards {input.rewards:q} --output {output.rewards:q}) > {log:q} 2>&1"


rule read_rewards:
    """Read rewards that somebody has published."""
    input:
        files=reward_sources,
        solutions="<results>/data/{dataset}/{category}.parquet",
        code=code("multirm.data.read"),
        environment=environment("core"),
    output:
        "<results>/rewards/{model}/{dataset}/{category}.parquet",
    log:
        "<logs>/read_rewards/{model}/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/read_rewards/{model}/{dataset}/{category}.tsv"
    wildcard_constraints:
        model=published_models(),
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=asked(table_request, "mem_mb"),
        runtime=asked(table_request, "runtime"),
    params:
        source=lambda wildcards: [str(place) for place in reward_places(wildcards)],
    message:
        "Read rewards of {wildcards.dataset}, {wildcards.category} by {wildcards.model}"
    shell:
        "python -m multirm read-rewards --source {params.source:q} --dataset {wildcards.dataset}"
        " --category {wildcards.category} --model {wildcards.model}"
        " --solutions {input.solutions:q} --output {output:q} > {log:q} 2>&1"
