"""What of a conversation goes to a model."""

from shared.clients.windows import ContextWindow
from shared.replies.fitting import Budget, PromptLine, fit, joined, json_bytes


def test_neighbours_of_one_role_are_joined_and_empty_messages_left_out() -> None:
    said = [
        PromptLine("user", "a"),
        PromptLine("assistant", " "),
        PromptLine("user", "b"),
        PromptLine("assistant", "c"),
    ]
    assert joined(said) == [PromptLine("user", "a\n\nb", 2), PromptLine("assistant", "c")]


def test_the_newest_goes_whatever_its_size_and_a_user_comes_first() -> None:
    lines = [PromptLine("user", "old"), PromptLine("assistant", "reply"), PromptLine("user", "x" * 100)]
    assert fit(lines, bytes_max=10) == lines[2:]
    assert fit(lines, bytes_max=105) == lines[2:]
    assert fit(lines, bytes_max=108) == lines
    assert fit(lines, bytes_max=200, size_of=lambda line: json_bytes([line.message()])) == lines[2:]


def test_nothing_left_out_is_nothing_to_tell() -> None:
    budget = Budget.of(ContextWindow(context_tokens=4000, prompt_tokens=3000, known=True), tokens_max=2000)
    assert (budget.bytes_max, budget.window_tokens) == (9000, 2000)
    assert budget.left_out(messages=-1) is None
    left_out = budget.left_out(messages=-1, passages=2)
    assert left_out is not None
    assert (left_out.messages, left_out.passages, left_out.window_tokens) == (0, 2, 2000)
