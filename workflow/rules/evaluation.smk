"""Needs solutions and rewards; makes results/evaluation/{dataset}/: accuracy, ledger, wide CSVs."""


rule evaluate:
    """Select answers with every reward model, and say how many are right."""
    input:
        solutions=lambda wildcards: solution_tables(wildcards.dataset),
        rewards=reward_tables,
        code=code("multirm.evaluation.accuracy"),
    output:
        accuracy="<results>/evaluation/{dataset}/accuracy.parquet",
        ledger="<results>/evaluation/{dataset}/ledger.parquet",
        best_of_n="<results>/evaluation/{dataset}/best_of_n.csv",
        weighted_vote="<results>/evaluation/{dataset}/weighted_vote.csv",
    log:
        "<logs>/evaluate/{dataset}.log",
    benchmark:
        "<benchmarks>/evaluate/{dataset}.tsv"
    conda:
        "../../envs/core.yaml"
    params:
        aggregation=aggregations,
        n=lookup("evaluation/n", within=config),
        runs=lookup("evaluation/runs", within=config),
        seed=lookup("seed", within=config),
    message:
        "Evaluate on {wildcards.dataset}"
    shell:
        "python -m multirm evaluate --solutions {input.solutions:q} --rewards {input.rewards:q}"
        " --aggregation {params.aggregation} --n {params.n} --runs {params.runs}"
        " --seed {params.seed} --output-accuracy {output.accuracy:q} --output-ledger {output.ledger:q}"
        " --output-best-of-n {output.best_of_n:q} --output-weighted-vote {output.weighted_vote:q}"
        " > {log:q} 2>&1"
