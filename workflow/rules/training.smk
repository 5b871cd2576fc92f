"""Needs labelled solutions and critiques; makes results/backbones/ and results/models/{model}/."""


rule demonstrate:
    """Write critiques of the right form for a backbone to be pretrained on."""
    input:
        solutions="<results>/data/{dataset}/{category}.parquet",
        code=code("multirm.data.demonstrations"),
        environment=environment("core"),
    output:
        "<results>/demonstrations/{kind}/{dataset}/{category}.parquet",
    log:
        "<logs>/demonstrate/{kind}/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/demonstrate/{kind}/{dataset}/{category}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=asked(table_request, "mem_mb"),
        runtime=asked(table_request, "runtime"),
    params:
        seed=config["seed"],
    message:
        "Demonstrate {wildcards.kind} critiques of {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm demonstrate --solutions {input.solutions:q} --kind {wildcards.kind}"
        " --output {output:q} --seed {params.seed} > {log:q} 2>&1"


rule pretrain_backbone:
    """Train a small decoder and its tokenizer from scratch."""
    input:
        solutions=pretraining_solutions,
        gorm_demonstrations=pretraining_demonstrations("gORM"),
        gprm_demonstrations=pretraining_demonstrations("gPRM"),
        gorm_template=used_template("gORM"),
        gprm_template=used_template("gPRM"),
        code=code("multirm.training.backbone"),
        environment=environment("train"),
    output:
        multiext(
            "<results>/backbones/{backbone}/model/",
            weights="model.safetensors",
            config="config.json",
            tokenizer="tokenizer.json",
        ),
        curve="<results>/backbones/{backbone}/curve.parquet",
    log:
        "<logs>/pretrain_backbone/{backbone}.log",
    benchmark:
        "<benchmarks>/pretrain_backbone/{backbone}.tsv"
    conda:
        "../../envs/train.yaml"
    resources:
        gpu=asked(pretraining_request, "gpu"),
        mem_mb=asked(pretraining_request, "mem_mb"),
        runtime=asked(pretraining_request, "runtime"),
    params:
        folder=subpath(output.weights, parent=True),
        gorm_template=option("--gorm-template", *template_files("gORM")),
        gprm_template=option("--gprm-template", *template_files("gPRM")),
        layers=setting("backbones/{backbone}/pretrain/layers"),
        width=setting("backbones/{backbone}/pretrain/width"),
        vocabulary=setting("backbones/{backbone}/pretrain/vocabulary"),
        max_length=setting("backbones/{backbone}/pretrain/max_length"),
        tokens=setting("backbones/{backbone}/pretrain/tokens"),
        batch_tokens=setting("backbones/{backbone}/pretrain/batch_tokens"),
        learning_rate=setting("backbones/{backbone}/pretrain/learning_rate"),
        seed=config["seed"],
    message:
        "Pretrain {wildcards.backbone}"
    shell:
        "python -m multirm pretrain-backbone --name {wildcards.backbone}"
        " --solutions {input.solutions:q} --gorm-demonstrations {input.gorm_demonstrations:q}"
        " --gprm-demonstrations {input.gprm_demonstrations:q} {params.gorm_template:q}"
        " {params.gprm_template:q} --output {params.folder:q}"
        " --curve {output.curve:q} --layers {params.layers} --width {params.width}"
        " --vocabulary {params.vocabulary} --max-length {params.max_length}"
        " --tokens {params.tokens} --batch-tokens {params.batch_tokens}"
        " --learning-rate {params.learning_rate} --seed {params.seed} > {log:q} 2>&1"


rule train_discriminative:
    """Train a dORM or dPRM: LoRA, loss on two columns at the labelled steps."""
    input:
        backbone=backbone_of_model,
        solutions=training_solutions,
        code=code("multirm.training.discriminative"),
        environment=environment("train"),
    output:
        multiext(
            "<results>/models/{model}/adapter/",
            weights="adapter_model.safetensors",
            config="adapter_config.json",
        ),
        curve="<results>/models/{model}/curve.parquet",
        examples="<results>/models/{model}/examples.parquet",
    log:
        "<logs>/train_discriminative/{model}.log",
    benchmark:
        "<benchmarks>/train_discriminative/{model}.tsv"
    wildcard_constraints:
        model=named("models", kind=["dORM", "dPRM"]),
    conda:
        "../../envs/train.yaml"
    threads: cores(training_request)
    resources:
        gpu=asked(training_request, "gpu"),
        mem_mb=asked(training_request, "mem_mb"),
        runtime=asked(training_request, "runtime"),
        processes=processes,
        parallelism=parallelism,
    params:
        folder=subpath(output.weights, parent=True),
        backbone=lambda wildcards: backbone_model(
            config["models"][wildcards.model]["backbone"]
        ),
        kind=model_setting("kind"),
        recipe=recipe,
    message:
        "Train {wildcards.model}"
    shell:
        "python_in_processes {resources.processes} {resources.gpu} -m multirm train-discriminative"
        " --kind {params.kind} --name {wildcards.model} --backbone {params.backbone:q}"
        " --solutions {input.solutions:q} --output {params.folder:q} --curve {output.curve:q}"
        " --examples {output.examples:q} --parallelism {resources.parallelism} {params.recipe}"
        " > {log:q} 2>&1"


rule train_generative:
    """Train a gORM or gPRM: LoRA, loss on the critiques and their verdicts."""
    input:
        backbone=backbone_of_model,
        solutions=training_solutions,
        critiques=training_critiques,
        template=used_model_template,
        code=code("multirm.training.generative"),
        environment=environment("train"),
    output:
        multiext(
            "<results>/models/{model}/adapter/",
            weights="adapter_model.safetensors",
            config="adapter_config.json",
        ),
        curve="<results>/models/{model}/curve.parquet",
        examples="<results>/models/{model}/examples.parquet",
    log:
        "<logs>/train_generative/{model}.log",
    benchmark:
        "<benchmarks>/train_generative/{model}.tsv"
    wildcard_constraints:
        model=named("models", kind=["gORM", "gPRM"]),
    conda:
        "../../envs/train.yaml"
    threads: cores(training_request)
    resources:
        gpu=asked(training_request, "gpu"),
        mem_mb=asked(training_request, "mem_mb"),
        runtime=asked(training_request, "runtime"),
        processes=processes,
        parallelism=parallelism,
    params:
        folder=subpath(output.weights, parent=True),
        backbone=lambda wildcards: backbone_model(
            config["models"][wildcards.model]["backbone"]
        ),
        kind=model_setting("kind"),
        recipe=recipe,
        template=lambda wildcards: option("--template", *model_template(wildcards)),
    message:
        "Train {wildcards.model}"
    shell:
        "python_in_processes {resources.processes} {resources.gpu} -m multirm train-generative"
        " --kind {params.kind} --name {wildcards.model} --backbone {params.backbone:q}"
        " --solutions {input.solutions:q} --critiques {input.critiques:q} {params.template:q}"
        " --output {params.folder:q} --curve {output.curve:q}"
        " --examples {output.examples:q} --parallelism {resources.parallelism} {params.recipe}"
        " > {log:q} 2>&1"


rule merge_adapter:
    """Add an adapter's weights to its backbone's, for whoever wants one folder: scoring takes adapters."""
    input:
        backbone=backbone_of_model,
        weights="<results>/models/{model}/adapter/adapter_model.safetensors",
        config="<results>/models/{model}/adapter/adapter_config.json",
        code=code("multirm.training.merge"),
        environment=environment("train"),
    output:
        multiext(
            "<results>/models/{model}/merged/",
            weights="model.safetensors",
            config="config.json",
            tokenizer="tokenizer.json",
        ),
    log:
        "<logs>/merge_adapter/{model}.log",
    benchmark:
        "<benchmarks>/merge_adapter/{model}.tsv"
    conda:
        "../../envs/train.yaml"
    resources:
        gpu=asked(merging_request, "gpu"),
        mem_mb=asked(merging_request, "mem_mb"),
        runtime=asked(merging_request, "runtime"),
    params:
        backbone=lambda wildcards: backbone_model(
            config["models"][wildcards.model]["backbone"]
        ),
        adapter=subpath(input.weights, parent=True),
        folder=subpath(output.weights, parent=True),
    message:
        "Merge {wildcards.model}"
    shell:
        "python -m multirm merge-adapter --backbone {params.backbone:q} --adapter {params.adapter:q}"
        " --output {params.folder:q} > {log:q} 2>&1"
