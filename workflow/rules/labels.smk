"""Needs bare questions, policies, judges and writers of variants; makes results/questions/, results/samples/,
results/labels/, the replies behind these, and those datasets in results/data/ that are sampled, labelled and augmented
here.
"""


rule generate_questions:
    """Write the miniature's questions, without solutions."""
    input:
        environment=environment("core"),
    output:
        "<results>/questions/{questions}/{category}.parquet",
    log:
        "<logs>/generate_questions/{questions}/{category}.log",
    benchmark:
        "<benchmarks>/generate_questions/{questions}/{category}.tsv"
    wildcard_constraints:
        questions=targets.questions_read_by(study, "miniature"),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.miniature.bare_questions"),
        split=lambda w: study.questions[w.questions].split,
        n=lambda w: study.questions[w.questions].questions,
        open_questions=ask(options.open_questions),
        seed=study.seed,
    message:
        "Generate questions of {wildcards.questions}, {wildcards.category}"
    shell:
        "python -m multirm generate-questions --category {wildcards.category}"
        " --dataset {wildcards.questions} --split {params.split} --questions {params.n} {params.open_questions}"
        " --seed {params.seed} --output {output:q} > {log:q} 2>&1"


rule read_questions:
    """Read bare questions from files or from the hub."""
    input:
        files=ask(label_files.question_sources),
        environment=environment("core"),
    output:
        "<results>/questions/{questions}/{category}.parquet",
    log:
        "<logs>/read_questions/{questions}/{category}.log",
    benchmark:
        "<benchmarks>/read_questions/{questions}/{category}.tsv"
    wildcard_constraints:
        questions=targets.questions_read_by(study, *Reader),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.read"),
        reader=lambda w: study.questions[w.questions].reader,
        source=ask(options.question_places),
        limit=ask(options.question_limit),
        seed=study.seed,
    message:
        "Read questions of {wildcards.questions}, {wildcards.category}"
    shell:
        "python -m multirm read-questions --reader {params.reader} --source {params.source:q}"
        " --dataset {wildcards.questions} --category {wildcards.category} --output {output:q}"
        " {params.limit:q} --seed {params.seed} > {log:q} 2>&1"


rule check_steps:
    """Label steps by the facts of the miniature."""
    input:
        solutions=ask(files.source_table),
        environment=environment("core"),
    output:
        "<results>/labels/{dataset}/{category}.parquet",
    log:
        "<logs>/check_steps/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/check_steps/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_labelled_by(study, "known"),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.miniature.check"),
        seed=study.seed,
    message:
        "Check the steps of {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm check-steps --solutions {input.solutions:q} --output {output:q}"
        " --seed {params.seed} > {log:q} 2>&1"


rule agree_labels:
    """Keep the labels of solutions on whose first bad step several sources agree."""
    input:
        labels=ask(label_files.agreeing_labels),
        environment=environment("core"),
    output:
        "<results>/labels/{dataset}/{category}.parquet",
    log:
        "<logs>/agree_labels/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/agree_labels/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_labelled_by(study, "agree"),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.agree_labels"),
    message:
        "Compare the labels of {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm agree-labels --labels {input.labels:q} --output {output:q} > {log:q} 2>&1"


rule trust_labels:
    """Drop labels that a reward model trained on them contradicts."""
    input:
        solutions=ask(files.source_table),
        rewards=ask(label_files.trusted_rewards),
        environment=environment("core"),
    output:
        "<results>/labels/{dataset}/{category}.parquet",
    log:
        "<logs>/trust_labels/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/trust_labels/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_labelled_by(study, "trust"),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.trust_labels"),
        tolerance=lambda w: study.datasets[w.dataset].label.trust.tolerance,
    message:
        "Filter the labels of {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm trust-labels --solutions {input.solutions:q} --rewards {input.rewards:q}"
        " --output {output:q} --tolerance {params.tolerance} > {log:q} 2>&1"


rule choose_labels:
    """Give solutions the labels of their steps."""
    input:
        solutions=ask(files.source_table),
        labels="<results>/labels/{dataset}/{category}.parquet",
        environment=environment("core"),
    output:
        "<results>/data/{dataset}/{category}.parquet",
    log:
        "<logs>/choose_labels/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/choose_labels/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_derived_by(study, "label"),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.choose_labels"),
        min_agreement=lambda w: study.datasets[w.dataset].label.min_agreement,
    message:
        "Choose the labels of {wildcards.dataset}, {wildcards.category}"
    shell:
        "python -m multirm choose-labels --solutions {input.solutions:q} --labels {input.labels:q}"
        " --dataset {wildcards.dataset} --output {output:q} --min-agreement {params.min_agreement}"
        " > {log:q} 2>&1"


rule sample_solutions:
    """Have a policy write solutions to bare questions."""
    input:
        policy=ask(label_files.writer_files),
        questions=ask(label_files.sampled_questions),
        exemplars=ask(label_files.exemplars),
        environment=environment(ask(needs.writer_stage)),
    output:
        solutions="<results>/data/{dataset}/{category}.parquet",
        samples="<results>/samples/{dataset}/{category}.parquet",
    log:
        "<logs>/sample_solutions/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/sample_solutions/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.sampled_datasets(study),
    conda:
        lambda w: f"../../envs/{needs.writer_stage(study, w.dataset)}.yaml"
    threads: threads_of(needs.writing)
    resources:
        **resources_of(needs.writing),
    params:
        *code("multirm.data.sample_solutions"),
        writer=ask(label_files.writer),
        engine=ask(options.engine),
        exemplars=options.exemplars,
        shots=ask(options.shots),
        per_question=lambda w: study.datasets[w.dataset].sample.per_question,
        sampling=ask(options.writing),
    message:
        "Sample {wildcards.dataset}, {wildcards.category}"
    shell:
        "in_environment_of {params.engine};"
        " python -m multirm sample-solutions --questions {input.questions:q} --policy {params.writer:q}"
        " {params.exemplars:q} {params.shots} --dataset {wildcards.dataset}"
        " --output {output.solutions:q} --output-samples {output.samples:q}"
        " --per-question {params.per_question} {params.sampling:q} > {log:q} 2>&1"


rule judge_steps:
    """Have a judge name the first bad step of each solution."""
    input:
        judge=ask(label_files.writer_files),
        solutions=ask(files.source_table),
        template=ask(label_files.judge_template, templates=TEMPLATES),
        environment=environment(ask(needs.writer_stage)),
    output:
        labels="<results>/labels/{dataset}/{category}.parquet",
        judgements="<results>/judgements/{dataset}/{category}.parquet",
    log:
        "<logs>/judge_steps/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/judge_steps/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_labelled_by(study, "judge"),
    conda:
        lambda w: f"../../envs/{needs.writer_stage(study, w.dataset)}.yaml"
    threads: threads_of(needs.writing)
    resources:
        **resources_of(needs.writing),
    params:
        *code("multirm.data.judge_steps"),
        writer=ask(label_files.writer),
        engine=ask(options.engine),
        votes=lambda w: study.datasets[w.dataset].label.judge.votes,
        attempts=lambda w: study.datasets[w.dataset].label.judge.attempts,
        reference=ask(options.judge_reference),
        template=ask(options.judge_template),
        sampling=ask(options.writing),
    message:
        "Judge the steps of {wildcards.dataset}, {wildcards.category}"
    shell:
        "in_environment_of {params.engine};"
        " python -m multirm judge-steps --solutions {input.solutions:q} --judge {params.writer:q}"
        " --output {output.labels:q} --output-judgements {output.judgements:q}"
        " --votes {params.votes} --attempts {params.attempts} {params.reference} {params.template:q}"
        " {params.sampling:q} > {log:q} 2>&1"


rule continue_steps:
    """Have a policy go on from each step to the end, many times."""
    input:
        policy=ask(label_files.writer_files),
        solutions=ask(files.source_table),
        exemplars=ask(label_files.exemplars),
        environment=environment(ask(needs.writer_stage)),
    output:
        labels="<results>/labels/{dataset}/{category}.parquet",
        continuations="<results>/continuations/{dataset}/{category}.parquet",
    log:
        "<logs>/continue_steps/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/continue_steps/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_labelled_by(study, "monte_carlo"),
    conda:
        lambda w: f"../../envs/{needs.writer_stage(study, w.dataset)}.yaml"
    threads: threads_of(needs.writing)
    resources:
        **resources_of(needs.writing),
    params:
        *code("multirm.data.continue_steps"),
        writer=ask(label_files.writer),
        engine=ask(options.engine),
        exemplars=options.exemplars,
        shots=ask(options.shots),
        per_prefix=lambda w: study.datasets[w.dataset].label.monte_carlo.per_prefix,
        search=lambda w: study.datasets[w.dataset].label.monte_carlo.search,
        significance=lambda w: study.datasets[w.dataset].label.monte_carlo.significance,
        sampling=ask(options.writing),
    message:
        "Continue the steps of {wildcards.dataset}, {wildcards.category}"
    shell:
        "in_environment_of {params.engine};"
        " python -m multirm continue-steps --solutions {input.solutions:q} --policy {params.writer:q}"
        " {params.exemplars:q} {params.shots} --output {output.labels:q}"
        " --output-continuations {output.continuations:q} --per-prefix {params.per_prefix}"
        " --search {params.search} --significance {params.significance} {params.sampling:q} > {log:q} 2>&1"


rule measure_continuation_shares:
    """Compare how often continuations of steps are right with guessing."""
    input:
        solutions=ask(label_files.continued_solutions),
        labels=ask(label_files.continued_labels),
        continuations=ask(label_files.continuation_tables),
        environment=environment("core"),
    output:
        "<results>/evaluation/{dataset}/continuation_shares.parquet",
    log:
        "<logs>/measure_continuation_shares/{dataset}.log",
    benchmark:
        "<benchmarks>/measure_continuation_shares/{dataset}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_labelled_by(study, "monte_carlo"),
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.data.continuation_shares"),
    message:
        "Compare continuations of {wildcards.dataset} with guessing"
    shell:
        "python -m multirm measure-continuation-shares --solutions {input.solutions:q} --labels {input.labels:q}"
        " --continuations {input.continuations:q} --dataset {wildcards.dataset} --output {output:q} > {log:q} 2>&1"


rule compare_labels:
    """Compare step labels of several sources with known ones."""
    input:
        solutions=ask(label_files.compared_solutions),
        labels=ask(label_files.compared_labels),
        truth=ask(label_files.known_labels),
        environment=environment("core"),
    output:
        "<results>/evaluation/{dataset}/label_agreement.parquet",
    log:
        "<logs>/compare_labels/{dataset}.log",
    benchmark:
        "<benchmarks>/compare_labels/{dataset}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.evaluation.label_agreement"),
        labels=lambda w, input: options.named_labels(input.labels),
        truth=options.truth,
    message:
        "Compare step labels with those of {wildcards.dataset}"
    shell:
        "python -m multirm compare-labels --solutions {input.solutions:q} --labels {params.labels:q}"
        " {params.truth:q} --output {output:q} > {log:q} 2>&1"


rule augment_steps:
    """Have a language model write steps of solutions anew, as wrong ones or in other words."""
    input:
        writer=ask(label_files.writer_files),
        solutions=ask(files.source_table),
        template=ask(label_files.augment_template, templates=TEMPLATES),
        environment=environment(ask(needs.writer_stage)),
    output:
        solutions="<results>/data/{dataset}/{category}.parquet",
        labels="<results>/labels/{dataset}/{category}.parquet",
        augmentations="<results>/augmentations/{dataset}/{category}.parquet",
    log:
        "<logs>/augment_steps/{dataset}/{category}.log",
    benchmark:
        "<benchmarks>/augment_steps/{dataset}/{category}.tsv"
    wildcard_constraints:
        dataset=targets.datasets_derived_by(study, "augment"),
    conda:
        lambda w: f"../../envs/{needs.writer_stage(study, w.dataset)}.yaml"
    threads: threads_of(needs.writing)
    resources:
        **resources_of(needs.writing),
    params:
        *code("multirm.data.augment_steps"),
        writer=ask(label_files.writer),
        engine=ask(options.engine),
        asking=ask(options.augmenting),
        sampling=ask(options.writing),
    message:
        "Augment {wildcards.dataset}, {wildcards.category}"
    shell:
        "in_environment_of {params.engine};"
        " python -m multirm augment-steps --solutions {input.solutions:q} --model {params.writer:q}"
        " --dataset {wildcards.dataset} --output {output.solutions:q} --output-labels {output.labels:q}"
        " --output-augmentations {output.augmentations:q} {params.asking:q} {params.sampling:q}"
        " > {log:q} 2>&1"
