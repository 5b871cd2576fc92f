"""Needs questions, a policy and a reward model; makes results/searches/{search}/ and what compares searches."""

wanted += targets.search_targets(study)


rule search:
    """Let a policy and a reward model search for answers together."""
    input:
        questions=ask(search_files.searched_questions),
        policy=ask(search_files.policy_files),
        exemplars=ask(search_files.exemplars),
        backbone=ask(search_files.reward_model_files),
        own=ask(search_files.own_files_of_reward_model),
        environment=environment(ask(needs.search_stage)),
    output:
        searches="<results>/searches/{search}/{category}.parquet",
        nodes="<results>/searches/{search}/{category}.nodes.parquet",
    log:
        "<logs>/search/{search}/{category}.log",
    benchmark:
        "<benchmarks>/search/{search}/{category}.tsv"
    conda:
        lambda w: f"../../envs/{needs.search_stage(study, w.search)}.yaml"
    threads: threads_of(needs.searching)
    resources:
        **resources_of(needs.searching),
    params:
        *code("multirm.search.search"),
        writer=ask(search_files.policy),
        reward_model=lambda w, input: search_options.reward_model(
            study, w.search, input
        ),
        engine=lambda w: study.searches[w.search].engine,
        exemplars=options.exemplars,
        searching=ask(search_options.searching),
    message:
        "Search by {wildcards.search}, {wildcards.category}"
    shell:
        "in_environment_of {params.engine};"
        " python -m multirm search --name {wildcards.search} --questions {input.questions:q}"
        " --policy {params.writer:q} --reward-model {params.reward_model:q} {params.exemplars:q}"
        " --output {output.searches:q} --output-nodes {output.nodes:q} {params.searching:q} > {log:q} 2>&1"


rule evaluate_searches:
    """Report what searches of the same questions get right, what they cost, and what they gain over best-of-N."""
    input:
        unpack(ask(search_files.compared_searches)),
        environment=environment("core"),
    output:
        multiext(
            "<results>/evaluation/{questions}/",
            accuracy="search_accuracy.parquet",
            gains="search_gains.parquet",
        ),
    log:
        "<logs>/evaluate_searches/{questions}.log",
    benchmark:
        "<benchmarks>/evaluate_searches/{questions}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.evaluation.searches"),
        folder=subpath(output.accuracy, parent=True),
        nodes=search_options.search_nodes,
    message:
        "Evaluate the searches of {wildcards.questions}"
    shell:
        "python -m multirm evaluate-searches --searches {input.searches:q} {params.nodes:q}"
        " --output {params.folder:q} > {log:q} 2>&1"


rule draw_search_accuracy:
    """Draw the accuracy of searches against their costs, and gains over best-of-N."""
    input:
        accuracy="<results>/evaluation/{questions}/search_accuracy.parquet",
        gains="<results>/evaluation/{questions}/search_gains.parquet",
        environment=environment("core"),
    output:
        svg="<results>/figures/search_accuracy/{questions}.svg",
        pdf="<results>/figures/search_accuracy/{questions}.pdf",
        png=report(
            "<results>/figures/search_accuracy/{questions}.png",
            caption="../report/search_accuracy.rst",
            category="Searches",
            labels={"questions": "{questions}", "as": "picture"},
        ),
        html=report(
            "<results>/figures/search_accuracy/{questions}.html",
            caption="../report/search_accuracy.rst",
            category="Searches",
            labels={"questions": "{questions}", "as": "page"},
        ),
    log:
        "<logs>/draw_search_accuracy/{questions}.log",
    benchmark:
        "<benchmarks>/draw_search_accuracy/{questions}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.figures.search_accuracy"),
    message:
        "Draw the searches of {wildcards.questions}"
    shell:
        "python -m multirm draw-search-accuracy --search-accuracy {input.accuracy:q}"
        " --search-gains {input.gains:q} --output {output:q} > {log:q} 2>&1"


rule draw_search_tree:
    """Draw the tree of a search for an answer to the first question of a category."""
    input:
        nodes="<results>/searches/{search}/{category}.nodes.parquet",
        environment=environment("core"),
    output:
        svg="<results>/figures/search_tree/{search}/{category}.svg",
        pdf="<results>/figures/search_tree/{search}/{category}.pdf",
        png=report(
            "<results>/figures/search_tree/{search}/{category}.png",
            caption="../report/search_tree.rst",
            category="Searches",
            labels={"search": "{search}", "category": "{category}", "as": "picture"},
        ),
        html=report(
            "<results>/figures/search_tree/{search}/{category}.html",
            caption="../report/search_tree.rst",
            category="Searches",
            labels={"search": "{search}", "category": "{category}", "as": "page"},
        ),
    log:
        "<logs>/draw_search_tree/{search}/{category}.log",
    benchmark:
        "<benchmarks>/draw_search_tree/{search}/{category}.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        **TABLES,
    params:
        *code("multirm.figures.search_tree"),
    message:
        "Draw a tree of {wildcards.search}, {wildcards.category}"
    shell:
        "python -m multirm draw-search-tree --search-nodes {input.nodes:q} --output {output:q} > {log:q} 2>&1"
