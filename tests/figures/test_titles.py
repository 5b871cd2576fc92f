"""Titles say what is shown, of what, and hold in their width."""

from multirm.figures import theme
from multirm.figures.titles import panel_title, spoken, title
from multirm.figures.wrapping import text_width

DATASET = "MMLU-Pro_Llama-3.1-70B-Instruct_shuffled"
MODEL = "Skywork-Reward-V2-Llama-3.1-8B-published"


def test_a_title_with_its_sentences() -> None:
    made = title(
        "Best-of-N accuracy", "Facts_junior", ["12 questions.", "And more."], 600
    ).to_dict()
    assert made["text"] == ["Best-of-N accuracy on Facts_junior"]
    assert made["subtitle"] == ["12 questions. And more."]


def test_long_titles_are_wrapped() -> None:
    made = title("Accuracy", "a-" * 90, ["Word " * 90], 300).to_dict()
    assert len(made["text"]) > 1
    assert " ".join(made["text"]).replace("- ", "-") == "Accuracy on " + "a-" * 90
    assert max(text_width(line, theme.LARGE, bold=True) for line in made["text"]) <= theme.WIDTH
    assert max(text_width(line, theme.SMALL) for line in made["subtitle"]) <= 300


def test_a_title_is_as_wide_as_the_longest_name() -> None:
    made = title("Accuracy", DATASET, [f"Not shown: {MODEL}."], 200).to_dict()
    assert made["text"] == ["Accuracy on", DATASET]
    assert made["subtitle"] == ["Not shown:", f"{MODEL}."]


def test_categories_as_titles() -> None:
    made = panel_title(spoken("computer_science"), 200).to_dict()
    assert (made["text"], made["fontWeight"]) == (["Computer science"], "normal")
    assert panel_title("Overall", 200, bold=True).to_dict()["fontWeight"] == "bold"
    assert len(panel_title(spoken("a_very_long_name_of_a_category"), 80).to_dict()["text"]) == 3
