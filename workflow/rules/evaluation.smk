"""Needs solutions and rewards; makes the tables and CSV files in results/evaluation/{dataset}/."""

wanted += targets.evaluation_targets(study)


rule describe_reward_models:
    """Write a table of the reward models that the study evaluates."""
    input:
        environment=environment("core"),
    output:
        "<results>/evaluation/{dataset}/reward_models.parquet",
    log:
        "<logs>/describe_reward_models/{dataset}.log",
    benchmark:
        "<benchmarks>/describe_reward_models/{dataset}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.evaluation.describe"),
        models=options.reward_models(study),
    message:
        "Describe the reward models evaluated on {wildcards.dataset}"
    shell:
        "python -m multirm describe-reward-models --dataset {wildcards.dataset:q} --models {params.models:q}"
        " --output {output:q} > {log:q} 2>&1"


# One rule for each evaluation: `study.evaluations` has the list.
for rule_name, evaluating in EVALUATIONS.items():
    selects = evaluating.needs_answers
    tables = files.pooled_tables if selects else files.evaluated_tables

    rule:
        name:
            rule_name
        input:
            unpack(ask(tables)),
            reward_models="<results>/evaluation/{dataset}/reward_models.parquet",
            environment=environment("core"),
        output:
            **{
                table: f"<results>/evaluation/{{dataset}}/{table}.parquet"
                for table in evaluating.tables_of(study)
            },
        log:
            f"<logs>/{rule_name}/{{dataset}}.log",
        benchmark:
            f"<benchmarks>/{rule_name}/{{dataset}}.tsv"
        conda:
            "../../envs/core.yaml"
        resources:
            **resources_of(needs.evaluation),
        params:
            *code(f"multirm.evaluation.{evaluating.module}"),
            command=evaluating.command,
            folder=subpath(output[0], parent=True),
            rewards=lambda w, input: options.named_rewards(input.rewards),
            samples=options.samples if selects else [],
            aggregation=options.aggregations(study),
            settings=evaluating.words(study),
        message:
            f"{evaluating.command} on {{wildcards.dataset}}"
        shell:
            "python -m multirm {params.command} --solutions {input.solutions:q} --rewards {params.rewards:q}"
            " {params.samples:q} --reward-models {input.reward_models:q} --aggregation {params.aggregation}"
            " {params.settings}"
            " --output {params.folder:q} > {log:q} 2>&1"


rule evaluate_as_paper:
    """The same by the paper's protocol, over random subsets, in the paper's columns."""
    input:
        unpack(ask(files.pooled_tables)),
        reward_models="<results>/evaluation/{dataset}/reward_models.parquet",
        environment=environment("core"),
    output:
        multiext(
            "<results>/evaluation/{dataset}/paper/",
            accuracy="accuracy.parquet",
            ledger="ledger.parquet",
        ),
        best_of_n=report(
            "<results>/evaluation/{dataset}/paper/best_of_n.csv",
            caption="../report/paper_accuracy.rst",
            category="Accuracy with --estimator paper",
            labels={"dataset": "{dataset}", "selection": "best_of_n"},
        ),
        weighted_vote=report(
            "<results>/evaluation/{dataset}/paper/weighted_vote.csv",
            caption="../report/paper_accuracy.rst",
            category="Accuracy with --estimator paper",
            labels={"dataset": "{dataset}", "selection": "weighted_vote"},
        ),
    log:
        "<logs>/evaluate_as_paper/{dataset}.log",
    benchmark:
        "<benchmarks>/evaluate_as_paper/{dataset}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **resources_of(needs.evaluation),
    params:
        *code("multirm.evaluation.accuracy"),
        folder=subpath(output.accuracy, parent=True),
        rewards=lambda w, input: options.named_rewards(input.rewards),
        samples=options.samples,
        aggregation=options.aggregations(study),
        n=study.evaluation.n,
        runs=study.evaluation.runs,
        seed=study.seed,
    message:
        "Evaluate on {wildcards.dataset} by the paper's protocol"
    shell:
        "python -m multirm evaluate --solutions {input.solutions:q} --rewards {params.rewards:q} {params.samples:q}"
        " --reward-models {input.reward_models:q} --aggregation {params.aggregation} --estimator paper --n {params.n} --runs {params.runs}"
        " --seed {params.seed} --output {params.folder:q} > {log:q} 2>&1"


rule evaluate_as_versaprm:
    """The same by VersaPRM's protocol: ten seeds of random subsets of padded pools."""
    input:
        unpack(ask(files.pooled_tables)),
        reward_models="<results>/evaluation/{dataset}/reward_models.parquet",
        environment=environment("core"),
    output:
        multiext(
            "<results>/evaluation/{dataset}/versaprm/",
            accuracy="accuracy_over_seeds.parquet",
            ledger="ledger.parquet",
        ),
        csv=report(
            "<results>/evaluation/{dataset}/versaprm/accuracy_over_seeds.csv",
            caption="../report/accuracy_over_seeds.rst",
            category="Accuracy with --estimator versaprm",
            labels={"dataset": "{dataset}"},
        ),
    log:
        "<logs>/evaluate_as_versaprm/{dataset}.log",
    benchmark:
        "<benchmarks>/evaluate_as_versaprm/{dataset}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **resources_of(needs.evaluation),
    params:
        *code("multirm.evaluation.accuracy"),
        folder=subpath(output.accuracy, parent=True),
        rewards=lambda w, input: options.named_rewards(input.rewards),
        samples=options.samples,
        aggregation=options.aggregations(study),
        settings=settings_of(study, "answers", "n", "category_groups"),
    message:
        "Evaluate on {wildcards.dataset} by VersaPRM's protocol"
    shell:
        "python -m multirm evaluate --solutions {input.solutions:q} --rewards {params.rewards:q} {params.samples:q}"
        " --reward-models {input.reward_models:q} --aggregation {params.aggregation} --estimator versaprm {params.settings}"
        " --output {params.folder:q} > {log:q} 2>&1"


rule evaluate_as_openprm:
    """The same by OpenPRM's protocol: best-of-N, vote and coverage for N = 1, 2, 4, … up to the largest pool."""
    input:
        unpack(ask(files.pooled_tables)),
        reward_models="<results>/evaluation/{dataset}/reward_models.parquet",
        environment=environment("core"),
    output:
        multiext(
            "<results>/evaluation/{dataset}/openprm/",
            accuracy="accuracy.parquet",
            ledger="ledger.parquet",
        ),
    log:
        "<logs>/evaluate_as_openprm/{dataset}.log",
    benchmark:
        "<benchmarks>/evaluate_as_openprm/{dataset}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **resources_of(needs.evaluation),
    params:
        *code("multirm.evaluation.accuracy"),
        folder=subpath(output.accuracy, parent=True),
        rewards=lambda w, input: options.named_rewards(input.rewards),
        samples=options.samples,
        aggregation=options.aggregations(study),
        settings=settings_of(study, "answers"),
    message:
        "Evaluate on {wildcards.dataset} by OpenPRM's protocol"
    shell:
        "python -m multirm evaluate --solutions {input.solutions:q} --rewards {params.rewards:q} {params.samples:q}"
        " --reward-models {input.reward_models:q} --aggregation {params.aggregation} --estimator openprm {params.settings}"
        " --output {params.folder:q} > {log:q} 2>&1"


rule compare_datasets:
    """Compare accuracies with shuffled steps with those as written, question by question."""
    input:
        unpack(ask(files.compared_tables)),
        reward_models="<results>/evaluation/{dataset}/reward_models.parquet",
        environment=environment("core"),
    output:
        "<results>/evaluation/{dataset}/changes.parquet",
    log:
        "<logs>/compare_datasets/{dataset}.log",
    benchmark:
        "<benchmarks>/compare_datasets/{dataset}.tsv"
    wildcard_constraints:
        dataset=targets.any_of(study.shuffled_from()),
    conda:
        "../../envs/core.yaml"
    resources:
        **resources_of(needs.evaluation),
    params:
        *code("multirm.evaluation.changes"),
        folder=subpath(output[0], parent=True),
        rewards=lambda w, input: options.named_rewards(input.rewards),
        before_rewards=lambda w, input: options.named_rewards(input.before_rewards),
        samples=options.samples,
        aggregation=options.aggregations(study),
        answers=study.evaluation.answers,
        n=study.evaluation.n,
        runs=study.evaluation.runs,
        seed=study.seed,
    message:
        "Compare {wildcards.dataset} with its solutions as written"
    shell:
        "python -m multirm compare-datasets --solutions {input.solutions:q} --rewards {params.rewards:q}"
        " --before-solutions {input.before_solutions:q} --before-rewards {params.before_rewards:q} {params.samples:q}"
        " --reward-models {input.reward_models:q} --aggregation {params.aggregation} --answers {params.answers}"
        " --n {params.n} --runs {params.runs} --seed {params.seed} --output {params.folder:q} > {log:q} 2>&1"


rule simulate_log_errors:
    """Simulate errors of rewards by number of steps, with the bounds of theorems: the same in every study."""
    input:
        environment=environment("core"),
    output:
        "<results>/evaluation/log_error_simulation.parquet",
    log:
        "<logs>/simulate_log_errors.log",
    benchmark:
        "<benchmarks>/simulate_log_errors.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.evaluation.log_error_simulation"),
    message:
        "Simulate log-errors of process and outcome reward models"
    shell:
        "python -m multirm simulate-log-errors --output {output:q} > {log:q} 2>&1"


rule measure_length_shift:
    """Compare the lengths of training solutions with those of the evaluated ones."""
    input:
        **targets.learned_tables(study),
        solutions=lambda w: files.solution_tables(study, w.dataset),
        environment=environment("core"),
    output:
        "<results>/evaluation/{dataset}/step_counts.parquet",
        "<results>/evaluation/{dataset}/length_shift.parquet",
    log:
        "<logs>/measure_length_shift/{dataset}.log",
    benchmark:
        "<benchmarks>/measure_length_shift/{dataset}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **resources_of(needs.evaluation),
    params:
        *code("multirm.evaluation.length_shift"),
        critiques=lambda w, input: options.named_critiques(input.critiques),
        folder=subpath(output[0], parent=True),
    message:
        "Measure how lengths differ between training and {wildcards.dataset}"
    shell:
        "python -m multirm measure-length-shift --solutions {input.solutions:q} --learned {input.learned:q}"
        " {params.critiques:q} --output {params.folder:q} > {log:q} 2>&1"
