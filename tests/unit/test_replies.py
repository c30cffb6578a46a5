"""Reading what a model says: extraction and validation, never a default."""

import json
import re
import time

import pytest

import prompts
from aurelia_core.errors import ReplyError
from aurelia_core.models.replies import CaptionReply, FeedbackReply, ReasoningReply, VerdictReply, parse_reply


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"score": 7}', 7),
        ('{"score": 8.0, "justification": "good"}', 8),
        ('{"score": "8/10"}', 8),
        ('{"score": "9"}', 9),
        ('Here it is:\n```json\n{"score": 3}\n```\nThanks.', 3),
        ('<think>{"score": 2} perhaps</think>{"score": 6}', 6),
        ('At first {"score": 2}, but no: {"score": 5}', 5),
        ('{"score": 4, "justification": "the angle \\(x\\) is \\alpha"}', 4),
        ('{"score": 4, "justification": "a\nb"}', 4),
        ('{"score": null, "justification": "nothing to check"}', None),
        ('{"score": 10, "surprise": true}', 10),
    ],
)
def test_a_verdict_is_read(text: str, score: int | None) -> None:
    assert parse_reply(text, VerdictReply).score == score


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        ("<think>hm</think>", "empty"),
        ("Eight out of ten.", "no JSON object"),
        ('{"score": 0}', "score"),
        ('{"score": 11}', "score"),
        ('{"score": 7.5}', "score"),
        ('{"score": "4/5"}', "score"),
        ('{"score": "high"}', "score"),
        ('{"score": true}', "score"),
        ('{"justification": "fine"}', "score: Field required"),
        ('{"score": 7, "windows": [{"start": NaN, "end": 2}]}', "windows"),
        ('{"score": 7, "justific', "no JSON object"),
        ("I cannot help with that.", "no JSON object"),
        ('{"score": "10/10!!"}', "score"),
        ('{"score": "\u0661\u0660/10"}', "score"),
        ('{"score": "1_0"}', "score"),
        ('{"score": [10]}', "score"),
        ('{"score": ' + "1" * 5000 + "}", "score"),
        ('{"score": 3, "score": 10}', "twice"),
        ('{"verdict": {"score": 10}}', "score"),
        ('{"verdict": {"score": 10}, "justification": "cut', "no JSON object"),
        ('{"score": 7, "windows": ' + "[" * 100_000, "nested too deeply"),
        ("x" * 300_000, "300000 characters"),
        ("{" * 200_000, "no JSON object"),
    ],
)
def test_what_is_no_verdict_is_refused_with_the_reason(text: str, fault: str) -> None:
    with pytest.raises(ReplyError, match=fault):
        parse_reply(text, VerdictReply)


def test_what_is_not_text_is_left_out_of_a_reply() -> None:
    found = parse_reply('{"score": 7, "justification": "a\\u0000b \\ud83d c\\u001b[31m\\r\\nd"}', VerdictReply)
    assert found.justification == "a b \ufffd c [31m\nd"


def test_an_object_after_a_mended_one_is_found_where_it_stands() -> None:
    text = '{"score": 1, "justification": "\\alpha \\beta"}{"score": 2, "justification": "\\gamma"} {"score": 3}'
    assert parse_reply(text, VerdictReply).score == 3


def test_latex_and_later_objects_are_both_read() -> None:
    text = 'First {"feedback": "use \\(a\\) and \\(b\\)"} then {"feedback": "look"}'
    assert parse_reply(text, FeedbackReply).feedback == "look"


@pytest.mark.parametrize(
    "text", ['{"steps": []}', '{"steps": [{"step": " "}]}', '{"steps": [{"step": "a", "modality": "smell"}]}']
)
def test_a_reasoning_without_usable_steps_is_refused(text: str) -> None:
    with pytest.raises(ReplyError, match="steps"):
        parse_reply(text, ReasoningReply)


def test_an_empty_caption_is_refused() -> None:
    with pytest.raises(ReplyError, match="must not be empty"):
        parse_reply('{"caption": "  "}', CaptionReply)


@pytest.mark.parametrize(
    ("windows", "read"),
    [
        ("null", []),
        ('[{"start": "5.0s", "end": "00:07"}]', [(5.0, 7.0)]),
        ('[{"start": "1:02.5", "end": "0:01:04"}]', [(62.5, 64.0)]),
        ('[[1, 2.5], "3 s - 4 s", "5 to 6"]', [(1.0, 2.5), (3.0, 4.0), (5.0, 6.0)]),
        ('{"start": 1, "end": 2}', [(1.0, 2.0)]),
        ('{"start": 1, "end": "2,5 seconds"}', [(1.0, 2.5)]),
    ],
)
def test_a_window_is_read_in_any_plain_form(windows: str, read: list[tuple[float, float]]) -> None:
    found = parse_reply(f'{{"score": 7, "windows": {windows}}}', VerdictReply)
    assert [(window.start, window.end) for window in found.windows] == read
    assert (found.score, found.notes) == (7, [])


@pytest.mark.parametrize(
    "window", ['"at the end"', '{"start": "soon", "end": 2}', "7", "[1, 2, 3]", "null", "[true, 2]"]
)
def test_a_window_that_cannot_be_read_is_left_out_with_a_note(window: str) -> None:
    found = parse_reply(f'{{"score": 7, "windows": [{window}, [1, 2]]}}', VerdictReply)
    assert [(one.start, one.end) for one in found.windows] == [(1.0, 2.0)]
    assert len(found.notes) == 1 and found.notes[0].startswith("a window was left out")


@pytest.mark.parametrize(
    ("given", "read"),
    [("Audio", "audio"), (" VISUAL ", "visual"), ("sound", "audio"), ("audio-visual", "both"),
     (["audio", "visual"], "both"), (None, "both"), ("knowledge", "knowledge")],
)  # fmt: skip
def test_a_modality_is_read_in_other_words(given: object, read: str) -> None:
    found = parse_reply(json.dumps({"steps": [{"step": "Listen.", "modality": given}]}), ReasoningReply)
    assert found.steps[0].modality == read


@pytest.mark.parametrize(
    ("given", "read"), [(3, "3"), (2.5, "2.5"), (None, ""), (["left", "right"], "left; right"), ("…", "")]
)
def test_a_text_that_is_not_essential_is_read_from_what_stands_there(given: object, read: str) -> None:
    found = parse_reply(json.dumps({"steps": [{"step": "Count.", "answer": given}], "answer": given}), ReasoningReply)
    assert (found.answer, found.steps[0].answer) == (read, read)


@pytest.mark.parametrize(
    "text",
    [
        '{"caption": "A dog barks.",}',
        "{'caption': 'A dog barks.'}",
        "{'caption': \"A dog barks.\", 'sure': True, 'more': None}",
        '{"result": {"caption": "A dog barks."}}',
        "Here: {'caption': 'A dog barks.', 'tags': ['dog', 'bark',],} That is all.",
        '```json\n{"caption": "A dog barks."}\n```',
    ],
)
def test_nearly_json_is_read_as_what_it_means(text: str) -> None:
    assert parse_reply(text, CaptionReply).caption == "A dog barks."


def test_an_apostrophe_in_single_quotes_is_part_of_the_text() -> None:
    assert (
        parse_reply("{'caption': 'The dog's bark, then \"hey\".'}", CaptionReply).caption
        == 'The dog\'s bark, then "hey".'
    )


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ('{"caption": 3}', CaptionReply),
        ('{"caption": null}', CaptionReply),
        ('{"caption": "…"}', CaptionReply),
        ('{"caption": "..."}', CaptionReply),
        ('{"caption": "<the caption>"}', CaptionReply),
        ('{"caption": "- !"}', CaptionReply),
        ('{"steps": [{"step": "<what to find out>"}]}', ReasoningReply),
        ('{"steps": ["Listen."]}', ReasoningReply),
        ('{"steps": "Listen."}', ReasoningReply),
        ('{"feedback": ["Listen."]}', FeedbackReply),
        ('{"score": [7]}', VerdictReply),
        ("{'caption': 'cut off", CaptionReply),
    ],
)
def test_what_counts_stays_strict(text: str, schema: type) -> None:
    with pytest.raises(ReplyError):
        parse_reply(text, schema)


@pytest.mark.parametrize(
    ("role", "schema"),
    [
        ("generator", ReasoningReply),
        ("summarizer", CaptionReply),
        ("evaluator", VerdictReply),
        ("feedback", FeedbackReply),
    ],
)
@pytest.mark.parametrize("style", ["aurelia", "paper"])
def test_the_example_of_a_prompt_is_no_reply(role: str, schema: type, style: str) -> None:
    asked = prompts.load_prompt(prompts.prompt_name(role, style))
    with pytest.raises(ReplyError):
        parse_reply(asked.rstrip().splitlines()[-1], schema)
    with pytest.raises(ReplyError):
        parse_reply(asked, schema, asked)


def test_any_object_of_the_request_given_back_is_no_reply() -> None:
    example = '{"score": 7, "justification": "…", "windows": [{"start": 1.0, "end": 2.5}]}'
    with pytest.raises(ReplyError, match="repeats the example"):
        parse_reply(example, VerdictReply, f"Reply like this: {example}")
    later = f'{example} I mean: {{"score": 3, "justification": "no bell"}}'
    assert parse_reply(later, VerdictReply, example).score == 3


ECHOES = [
    ("summarizer", CaptionReply, '{"caption": "%s"}'),
    ("feedback", FeedbackReply, '{"feedback": "%s", "windows": [{"start": 1.0, "end": 2.5}]}'),
    ("generator", ReasoningReply, '{"steps": [{"step": "%s"}], "answer": "left"}'),
]


@pytest.mark.parametrize(("role", "schema", "form"), ECHOES)
@pytest.mark.parametrize("style", ["aurelia", "paper"])
def test_what_a_prompt_asks_for_given_back_in_any_dress_is_no_reply(
    role: str, schema: type, form: str, style: str
) -> None:
    """A small model under a grammar gives the words of a placeholder back, with one bracket or none."""
    asked = prompts.load_prompt(prompts.prompt_name(role, style))
    texts = [found for found in re.findall(r"<([^<>]+)>", asked.rstrip().splitlines()[-1]) if " " in found]
    assert texts
    for text in texts:
        for dress in (f"<{text}>", f"<{text}", text, text.title(), f"{text}."):
            with pytest.raises(ReplyError, match="repeats the example|not a placeholder"):
                parse_reply(form % dress, schema, asked)
    assert parse_reply(form % "a bell rings twice on the left", schema, asked)


def test_a_placeholder_given_back_in_a_line_that_does_not_count_is_nothing() -> None:
    asked = prompts.load_prompt("generator")
    one = '{"step": "Listen for a bell", "justification": "cue and time", "answer": "<finding"}'
    (step,) = parse_reply(f'{{"steps": [{one}], "answer": "x"}}', ReasoningReply, asked).steps
    assert (step.step, step.justification, step.answer) == ("Listen for a bell", "", "")


@pytest.mark.parametrize("text", ["<5 s of silence, then a bell", "a < b is shown", "<b>Bold</b> words are shown"])
def test_words_with_angle_brackets_are_words(text: str) -> None:
    assert parse_reply(json.dumps({"caption": text}), CaptionReply, "Say <what is seen>.").caption == text


@pytest.mark.parametrize(
    "text",
    [
        '<think>{"score": 2}</think>{"score": 6}',
        '{"score": 2}</think>{"score": 6}',
        '<|channel|>analysis<|message|>{"score": 2}<|end|><|start|>assistant'
        '<|channel|>final<|message|>{"score": 6}<|return|>',
        '<|channel>thought\n{"score": 2}<channel|>{"score": 6}',
        '[THINK]{"score": 2}[/THINK]{"score": 6}',
    ],
)
def test_a_score_of_the_thinking_is_none(text: str) -> None:
    assert parse_reply(text, VerdictReply).score == 6


@pytest.mark.parametrize(
    "text", ['<think>{"score": 2}', '<|channel|>analysis<|message|>{"score": 2}', '{"score": 2}</think>']
)
def test_a_reply_that_is_only_thinking_is_said_to_be_that(text: str) -> None:
    with pytest.raises(ReplyError, match="only thinking"):
        parse_reply(text, VerdictReply)


@pytest.mark.parametrize(
    "text",
    ["{'" * 60_000, "{'a': " * 30_000, '{"a" x ' * 20_000 + "}" * 20_000, "<think>" * 20_000, "'" * 150_000 + "{'a'}",
     '{"a": "' + "\\" * 190_000],
)  # fmt: skip
def test_a_hostile_reply_is_refused_in_time(text: str) -> None:
    began = time.process_time()
    with pytest.raises(ReplyError):
        parse_reply(text, VerdictReply)
    assert time.process_time() - began < 5
