"""Needs labelled solutions, critiques and preferences; makes results/backbones/ and results/models/{model}/."""

wanted += targets.training_targets(study)


rule demonstrate:
    """Write well-formed critiques, to pretrain a backbone on or as a set of their own."""
    input:
        solutions="<results>/data/{dataset}/{category}.parquet",
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
        **TABLES,
    params:
        *code("multirm.data.demonstrations"),
        seed=study.seed,
    message:
        "Demonstrate {wildcards.kind} critiques of {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm demonstrate --solutions {input.solutions:q} --kind {wildcards.kind}"
        " --output {output:q} --seed {params.seed} > {log:q} 2>&1"


rule demonstrate_task:
    """Write conversations to pretrain a backbone on, in which it does a task of a chat model."""
    input:
        solutions="<results>/data/{dataset}/{category}.parquet",
        environment=environment("core"),
    output:
        "<results>/demonstrations/{task}/{dataset}/{category}.parquet",
    log:
        "<logs>/demonstrate_task/{task}/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/demonstrate_task/{task}/{dataset}/{category}.tsv"
    wildcard_constraints:
        task=targets.any_of(ChatTask),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.task_demonstrations"),
        seed=study.seed,
    message:
        "Demonstrate how to {wildcards.task} in {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm demonstrate-task --solutions {input.solutions:q} --task {wildcards.task}"
        " --output {output:q} --seed {params.seed} > {log:q} 2>&1"


rule pretrain_backbone:
    """Train a small decoder and its tokenizer from scratch."""
    input:
        solutions=ask(files.pretraining_solutions),
        gorm_demonstrations=ask(files.pretraining_demonstrations, kind="gORM"),
        gprm_demonstrations=ask(files.pretraining_demonstrations, kind="gPRM"),
        conversations=ask(files.pretraining_conversations),
        gorm_template=ask(files.template_of_backbone, kind="gORM", templates=TEMPLATES),
        gprm_template=ask(files.template_of_backbone, kind="gPRM", templates=TEMPLATES),
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
        **resources_of(needs.pretraining),
    params:
        *code("multirm.training.backbone"),
        folder=subpath(output.weights, parent=True),
        gorm_template=ask(options.template_of_backbone, kind="gORM"),
        gprm_template=ask(options.template_of_backbone, kind="gPRM"),
        conversations=options.conversations,
        layers=lambda w: study.backbones[w.backbone].pretrain.layers,
        width=lambda w: study.backbones[w.backbone].pretrain.width,
        vocabulary=lambda w: study.backbones[w.backbone].pretrain.vocabulary,
        max_length=lambda w: study.backbones[w.backbone].pretrain.max_length,
        tokens=lambda w: study.backbones[w.backbone].pretrain.tokens,
        batch_tokens=lambda w: study.backbones[w.backbone].pretrain.batch_tokens,
        learning_rate=lambda w: study.backbones[w.backbone].pretrain.learning_rate,
        seed=study.seed,
    message:
        "Pretrain {wildcards.backbone}"
    shell:
        "python -m multirm pretrain-backbone --name {wildcards.backbone}"
        " --solutions {input.solutions:q} --gorm-demonstrations {input.gorm_demonstrations:q}"
        " --gprm-demonstrations {input.gprm_demonstrations:q} {params.gorm_template:q}"
        " {params.gprm_template:q} {params.conversations:q} --output {params.folder:q}"
        " --curve {output.curve:q} --layers {params.layers} --width {params.width}"
        " --vocabulary {params.vocabulary} --max-length {params.max_length}"
        " --tokens {params.tokens} --batch-tokens {params.batch_tokens}"
        " --learning-rate {params.learning_rate} --seed {params.seed} > {log:q} 2>&1"


rule train_discriminative:
    """Train a dORM or dPRM: LoRA, with the loss on two logits at the labelled steps."""
    input:
        backbone=ask(files.start_files_of_model),
        solutions=ask(files.training_solutions),
        labels=ask(files.training_labels),
        validation=ask(files.validation_solutions),
        environment=environment("train"),
    output:
        multiext(
            "<results>/models/{model}/adapter/",
            weights="adapter_model.safetensors",
            config="adapter_config.json",
        ),
        curve="<results>/models/{model}/curve.parquet",
        examples="<results>/models/{model}/examples.parquet",
        metrics="<results>/models/{model}/validation.parquet",
    log:
        "<logs>/train_discriminative/{model}.log",
    benchmark:
        "<benchmarks>/train_discriminative/{model}.tsv"
    wildcard_constraints:
        model=targets.discriminative_models(study, whole=False),
    conda:
        "../../envs/train.yaml"
    threads: threads_of(needs.training)
    resources:
        **resources_of(needs.training),
        processes=lambda w: study.runs[w.model].trained.training.processes,
        parallelism=lambda w: str(study.runs[w.model].trained.training.parallelism),
    params:
        *code("multirm.training.discriminative"),
        folder=subpath(output.weights, parent=True),
        backbone=ask(files.start_of_model),
        kind=lambda w: study.runs[w.model].kind,
        recipe=ask(options.recipe),
        labels=lambda w, input: options.training_labels(study, w.model, input.labels),
        validation=lambda w, input: options.validation(input.validation),
    message:
        "Train {wildcards.model}"
    shell:
        "python_in_processes {resources.processes} {resources.gpu} -m multirm train-discriminative"
        " --kind {params.kind} --name {wildcards.model} --backbone {params.backbone:q}"
        " --solutions {input.solutions:q} {params.labels:q} {params.validation:q}"
        " --output {params.folder:q} --curve {output.curve:q}"
        " --examples {output.examples:q} --metrics {output.metrics:q}"
        " --parallelism {resources.parallelism} {params.recipe} > {log:q} 2>&1"


use rule train_discriminative as train_whole_discriminative with:
    output:
        multiext(
            "<results>/models/{model}/model/",
            weights="model.safetensors",
            config="config.json",
            tokenizer="tokenizer.json",
        ),
        curve="<results>/models/{model}/curve.parquet",
        examples="<results>/models/{model}/examples.parquet",
        metrics="<results>/models/{model}/validation.parquet",
    log:
        "<logs>/train_whole_discriminative/{model}.log",
    benchmark:
        "<benchmarks>/train_whole_discriminative/{model}.tsv"
    wildcard_constraints:
        model=targets.discriminative_models(study, whole=True),
    message:
        "Train all weights of {wildcards.model}"


rule train_pairwise:
    """Train a pairwise model, with the Bradley-Terry loss on the scores of both sides of each pair."""
    input:
        backbone=ask(files.start_files_of_model),
        preferences=ask(tree_files.training_preferences),
        format=ask(tree_files.training_format),
        environment=environment("train"),
    output:
        multiext(
            "<results>/models/{model}/model/",
            weights="model.safetensors",
            config="config.json",
            tokenizer="tokenizer.json",
        ),
        curve="<results>/models/{model}/curve.parquet",
        examples="<results>/models/{model}/examples.parquet",
    log:
        "<logs>/train_pairwise/{model}.log",
    benchmark:
        "<benchmarks>/train_pairwise/{model}.tsv"
    wildcard_constraints:
        model=targets.models_of_kinds(study, "pairwise"),
    conda:
        "../../envs/train.yaml"
    threads: threads_of(needs.training)
    resources:
        **resources_of(needs.training),
        processes=lambda w: study.runs[w.model].trained.training.processes,
        parallelism=lambda w: str(study.runs[w.model].trained.training.parallelism),
    params:
        *code("multirm.training.pairwise"),
        folder=subpath(output.weights, parent=True),
        backbone=ask(files.start_of_model),
        format=lambda w: study.runs[w.model].trained.format,
        recipe=ask(options.recipe),
    message:
        "Train {wildcards.model}"
    shell:
        "python_in_processes {resources.processes} {resources.gpu} -m multirm train-pairwise"
        " --name {wildcards.model} --backbone {params.backbone:q} --format {params.format}"
        " --preferences {input.preferences:q} --output {params.folder:q} --curve {output.curve:q}"
        " --examples {output.examples:q} --parallelism {resources.parallelism} {params.recipe}"
        " > {log:q} 2>&1"


rule train_generative:
    """Train a gORM or gPRM: LoRA, with the loss on the critiques and their verdicts."""
    input:
        backbone=ask(files.backbone_files_of_model),
        solutions=ask(files.training_solutions),
        critiques=ask(files.training_critiques),
        template=ask(files.template_of_model, templates=TEMPLATES),
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
        model=targets.models_of_kinds(study, "gORM", "gPRM"),
    conda:
        "../../envs/train.yaml"
    threads: threads_of(needs.training)
    resources:
        **resources_of(needs.training),
        processes=lambda w: study.runs[w.model].trained.training.processes,
        parallelism=lambda w: str(study.runs[w.model].trained.training.parallelism),
    params:
        *code("multirm.training.generative"),
        folder=subpath(output.weights, parent=True),
        backbone=ask(files.backbone_of_model),
        kind=lambda w: study.runs[w.model].kind,
        recipe=ask(options.recipe),
        template=ask(options.template_of_model),
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
    """Merge an adapter into its backbone, for those who want a single folder; scoring uses adapters."""
    input:
        backbone=ask(files.backbone_files_of_model),
        weights="<results>/models/{model}/adapter/adapter_model.safetensors",
        config="<results>/models/{model}/adapter/adapter_config.json",
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
    wildcard_constraints:
        model=targets.adapters(study),
    conda:
        "../../envs/train.yaml"
    resources:
        **resources_of(needs.merging),
    params:
        *code("multirm.training.merge"),
        backbone=ask(files.backbone_of_model),
        adapter=subpath(input.weights, parent=True),
        folder=subpath(output.weights, parent=True),
    message:
        "Merge {wildcards.model}"
    shell:
        "python -m multirm merge-adapter --backbone {params.backbone:q} --adapter {params.adapter:q}"
        " --output {params.folder:q} > {log:q} 2>&1"
