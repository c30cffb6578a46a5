"""One cleaning of replies: thinking of any maker, JSON of any key, markdown, restated steps, the last "Answer:"."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurelia_core.answers.cleaning import clean_reply

CAPTION = "A dog barks twice while a car passes."
STEPS = ["Identify the animal that is seen.", "Count how often it barks.", "Check whether a car passes."]


@pytest.mark.parametrize(
    "reply",
    [
        "<think>A cat? No.</think>{}",
        "<think>A cat?</think>\n\n{}",
        "A cat? No.</think>\n{}",
        "<think>a<think>b</think>c</think>{}",
        "<thinking>A cat</thinking> {}",
        "<seed:think>A cat</seed:think>{}",
        "<thought>A cat</thought>\n{}",
        "<reasoning>A cat</reasoning><answer>{}</answer>",
        "<think>\nA cat\n</think>\n<answer>\n{}\n</answer>",
        "<SUMMARY>I watch.</SUMMARY><REASONING>A cat</REASONING><CONCLUSION>{}</CONCLUSION>",
        "◁think▷A cat◁/think▷{}",
        "[THINK]A cat[/THINK]{}",
        "<|START_THINKING|>A cat<|END_THINKING|><|START_RESPONSE|>{}<|END_RESPONSE|>",
        "<|begin_of_thought|>A cat<|end_of_thought|>\n<|begin_of_solution|>{}<|end_of_solution|>",
        "<|channel>thought\nA cat<channel|>{}",
        "<unused94>thought\nA cat<unused95>{}",
        "<|inner_prefix|>A cat<|inner_suffix|>{}",
        "Here is my thought process: A cat.\n\nHere is my response: {}",
        "analysisThe user wants a caption.assistantfinal{}",
        "<|channel|>analysis<|message|>A cat<|end|><|start|>assistant<|channel|>final<|message|>{}<|return|>",
        "<|channel|>final <|constrain|>text<|message|>{}",
        "<details type='reasoning'><summary>Thought for 3 s</summary>A cat</details>\n{}",
        "A cat.\n[BEGIN FINAL RESPONSE]\n{}\n[END FINAL RESPONSE]",
        "<|begin_of_box|>{}<|end_of_box|>",
        "<|im_start|>{}<|im_end|>",
    ],
)
def test_thinking_of_any_maker_is_removed(reply: str) -> None:
    assert clean_reply(reply.replace("{}", CAPTION)) == CAPTION


@pytest.mark.parametrize(
    "reply",
    [
        "<think>A dog barks",
        "◁think▷A dog",
        "[THINK]A dog",
        "<|channel|>analysis<|message|>A dog barks",
        "<|channel>thought\nA",
    ],
)
def test_a_reply_cut_off_in_its_thinking_has_no_answer(reply: str) -> None:
    assert clean_reply(reply) == ""


@pytest.mark.parametrize(
    "reply",
    [
        '{"caption": "{}"}',
        '{"answer": "{}", "confidence": 0.9, "reasoning": "The answer is a cat."}',
        '```json\n{"Final Answer": "{}"}\n```',
        'Here it is:\n```\n{"result": {"description": "{}"}}\n```',
        '[{"response": "{}"}]',
        "{'output': '{}'}",
        '{"sounds_and_pictures": "{}"}',
        '{"draft_answer": "A cat.", "final_answer": "{}"}',
    ],
)
def test_json_of_any_key_is_unwrapped(reply: str) -> None:
    assert clean_reply(reply.replace("{}", CAPTION)) == CAPTION


@pytest.mark.parametrize(
    "reply", ['{"a_dog": "barks", "a_car": "passes"}', '{"reasoning": "A dog barks."}', "{not json}"]
)
def test_json_without_one_answer_stays(reply: str) -> None:
    assert clean_reply(reply) == reply


@pytest.mark.parametrize(
    "reply",
    [
        "**{}**",
        "# Caption\n\nCaption: {}",
        "> {}",
        "`{}`",
        "_{}_",
        "```\n{}\n```",
        "<b>{}</b>",
        "~~A cat.~~ {}",
        r"$\boxed{{}}$",
        "==={}===".replace("===", "=="),
    ],
)
def test_markdown_is_removed(reply: str) -> None:
    assert clean_reply(reply.replace("{}", CAPTION)) == CAPTION


@pytest.mark.parametrize(
    "reply",
    [
        "Answer: {}",
        "It may be a cat. Final answer: {}",
        "**Final Answer:** {}",
        "### Answer\n{}",
        "Answer: A cat.\nAnswer: {}",
        "Réponse : {}",
        "答案：{}",
        "The caption: {}",
        "Answer: {}\n\nExplanation: The answer is not a cat.",
        "Answer: {}\n\nQuestion: What else is heard?\nAnswer: A cat.",
    ],
)
def test_the_last_answer_counts(reply: str) -> None:
    assert clean_reply(reply.replace("{}", CAPTION)) == CAPTION


@pytest.mark.parametrize(
    "reply",
    [
        "1. {0}\n2. {1}\n3. {2}\n\n{3}",
        "Reasoning steps:\n1. {0}\n2. {1}\n3. {2}\n{3}",
        "Step 1: {0} Step 2: {1} Step 3: {2} {3}",
        "- {0}\n- {1}\n- {2}\n{3}",
        "1. {0} Finding: a dog\n2. {1} Finding: twice\n3. {2}\nSuggested answer: a dog\n{3}",
        "1. {0}\n2. {1}\n3. {2}\n\nAnswer: {3}",
    ],
)
def test_restated_steps_are_removed(reply: str) -> None:
    assert clean_reply(reply.format(*STEPS, CAPTION), STEPS) == CAPTION


def test_a_numbered_list_before_the_answer_is_removed_even_if_the_steps_are_not_known() -> None:
    assert clean_reply(f"Let me follow the steps:\n1. I see a dog.\n2. It barks.\n\n{CAPTION}") == CAPTION
    assert clean_reply("1. a dog\n2. a car") == "1. a dog\n2. a car"
    assert clean_reply("\n".join(STEPS), STEPS) == "\n".join(STEPS)


@given(st.text(max_size=300), st.lists(st.text(min_size=1, max_size=20), max_size=3))
def test_cleaning_twice_changes_nothing_more(reply: str, steps: list[str]) -> None:
    cleaned = clean_reply(reply, steps)
    assert clean_reply(cleaned, steps) == cleaned


pieces = st.sampled_from(
    [
        "<think>",
        "</think>",
        "Answer: ",
        "\n",
        '{"answer": "',
        '"}',
        "**",
        "1. look here\n",
        "A dog barks.",
        "```",
        "> ",
        "~~",
        "|",
    ]
)


@given(st.lists(pieces, max_size=12).map("".join))
def test_cleaning_replies_made_of_marks_twice_changes_nothing_more(reply: str) -> None:
    cleaned = clean_reply(reply)
    assert clean_reply(cleaned) == cleaned


def test_a_long_reply_is_cleaned_in_time() -> None:
    for piece in ("<think>", "Answer: ", "{", "**", "1. a\n", "```", "<|channel|>", "~~"):
        assert isinstance(clean_reply(piece * (40_000 // len(piece))), str)
