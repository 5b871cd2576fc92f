"""Needs solutions; makes results/trees/{trees}/, results/preferences/{preferences}/ and results/tree_counts/."""

wanted += targets.tree_targets(study)


rule build_trees:
    """Merge the solutions to each question where they say the same."""
    input:
        solutions=ask(tree_files.merged_solutions),
        rewards=ask(tree_files.outcome_rewards),
        environment=environment("core"),
    output:
        "<results>/trees/{trees}/{category}.parquet",
    log:
        "<logs>/build_trees/{trees}/{category}.log",
    benchmark:
        "<benchmarks>/build_trees/{trees}/{category}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **resources_of(needs.merging_solutions),
    params:
        *code("multirm.trees.build"),
        merging=ask(tree_options.merging),
        rewards=tree_options.outcome_rewards,
    message:
        "Merge the solutions of {wildcards.trees}, {wildcards.category}"
    shell:
        "python -m multirm build-trees --solutions {input.solutions:q} --output {output:q}"
        " {params.rewards:q} {params.merging:q} > {log:q} 2>&1"


rule extract_pairs:
    """Find pairs of siblings in trees whose values differ, and draw pairs of whole solutions."""
    input:
        trees=ask(tree_files.paired_trees),
        solutions=ask(tree_files.paired_solutions),
        environment=environment("core"),
    output:
        "<results>/preferences/{preferences}/{category}.parquet",
    log:
        "<logs>/extract_pairs/{preferences}/{category}.log",
    benchmark:
        "<benchmarks>/extract_pairs/{preferences}/{category}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **resources_of(needs.extracting),
    params:
        *code("multirm.trees.extract"),
        pairing=ask(tree_options.pairing),
    message:
        "Extract the pairs of {wildcards.preferences}, {wildcards.category}"
    shell:
        "python -m multirm extract-pairs --trees {input.trees:q} --solutions {input.solutions:q}"
        " --output {output:q} {params.pairing:q} > {log:q} 2>&1"


rule count_trees:
    """Count nodes and pairs as they would be in other orders, and with other segments kept apart."""
    input:
        solutions=ask(tree_files.counted_solutions),
        environment=environment("core"),
    output:
        "<results>/tree_counts/{preferences}.parquet",
    log:
        "<logs>/count_trees/{preferences}.log",
    benchmark:
        "<benchmarks>/count_trees/{preferences}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **resources_of(needs.counting_trees),
    params:
        *code("multirm.trees.count"),
        counting=ask(tree_options.counting),
    message:
        "Count the trees of {wildcards.preferences}"
    shell:
        "python -m multirm count-trees --solutions {input.solutions:q} --output {output:q}"
        " {params.counting:q} > {log:q} 2>&1"
