"""Needs merged reward models and solutions; makes results/rewards/{model}/{dataset}/{category}.parquet."""


rule score_discriminative:
    """Read a reward off the network at the end of every step."""
    input:
        model="<results>/models/{model}/merged/model.safetensors",
        config="<results>/models/{model}/merged/config.json",
        tokenizer="<results>/models/{model}/merged/tokenizer.json",
        solutions="<results>/data/{dataset}/{category}.parquet",
        code=code("multirm.scoring.discriminative"),
    output:
        "<results>/rewards/{model}/{dataset}/{category}.parquet",
    log:
        "<logs>/score_discriminative/{model}/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/score_discriminative/{model}/{dataset}/{category}.tsv"
    wildcard_constraints:
        model=named("models", kind=["dORM", "dPRM"]),
    conda:
        "../../envs/train.yaml"
    params:
        folder=subpath(input.model, parent=True),
        batch_tokens=model_setting("batch_tokens", "scoring"),
    message:
        "Score {wildcards.dataset}, {wildcards.category} with {wildcards.model}"
    shell:
        "python -m multirm score-discriminative --model {params.folder:q} --name {wildcards.model}"
        " --solutions {input.solutions:q} --output {output:q} --batch-tokens {params.batch_tokens}"
        " > {log:q} 2>&1"


rule score_generative:
    """Sample critiques of each solution, and read a reward off each verdict."""
    input:
        model="<results>/models/{model}/merged/model.safetensors",
        config="<results>/models/{model}/merged/config.json",
        tokenizer="<results>/models/{model}/merged/tokenizer.json",
        solutions="<results>/data/{dataset}/{category}.parquet",
        template=model_template,
        code=code("multirm.scoring.generative"),
    output:
        rewards="<results>/rewards/{model}/{dataset}/{category}.parquet",
        critiques="<results>/rewards/{model}/{dataset}/{category}.critiques.parquet",
    log:
        "<logs>/score_generative/{model}/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/score_generative/{model}/{dataset}/{category}.tsv"
    wildcard_constraints:
        model=named("models", kind=["gORM", "gPRM"]),
    conda:
        "../../envs/train.yaml"
    params:
        folder=subpath(input.model, parent=True),
        kind=model_setting("kind"),
        engine=model_setting("engine", "scoring"),
        samples=model_setting("samples", "scoring"),
        max_tokens=model_setting("max_tokens", "scoring"),
        temperature=model_setting("temperature", "scoring"),
        top_p=model_setting("top_p", "scoring"),
        template=lambda wildcards: option("--template", *model_template(wildcards)),
        seed=lookup("seed", within=config),
    message:
        "Score {wildcards.dataset}, {wildcards.category} with {wildcards.model}"
    shell:
        "python -m multirm score-generative --kind {params.kind} --model {params.folder:q}"
        " --name {wildcards.model} --engine {params.engine} --solutions {input.solutions:q}"
        " --output {output.rewards:q} --output-critiques {output.critiques:q}"
        " --samples {params.samples} --max-tokens {params.max_tokens}"
        " --temperature {params.temperature} --top-p {params.top_p} {params.template:q}"
        " --seed {params.seed} > {log:q} 2>&1"
