"""What a multiple choice gives away: chance, a blind target, confusion of letters, position bias."""

from collections import Counter
from collections.abc import Mapping, Sequence

from aurelia.bench.run_file import Arm
from aurelia.report.measure import answer_value, arm_accuracy, compare_values, mean_percent
from aurelia.report.paper_table1 import ALL_COLUMN_TITLES
from aurelia.report.rows import Case
from aurelia.report.tables import ARM_NAMES, NO_VALUE, ReportTable, RunFigures, TableLine, format_number, format_range
from aurelia_core.answers.multiple_choice import CHOICE_LETTERS

BlindValues = Mapping[tuple[str, int], float]


def choice_tables(run: RunFigures, blind: BlindValues | None = None) -> list[ReportTable]:
    """The tables of a run's multiple choices: chance and blind, position, and each arm's confusion of letters.

    Args:
        run: The run.
        blind: Value of the target's answer without the clip, by record and rollout; None without such a run.
    """
    found = []
    asked = [case for case in run.cases if case.choices and case.truths]
    if asked or blind:
        found.append(chance_table(run, blind))
    single = [case for case in asked if len(case.truths) == 1]
    if any(answer.chosen is not None for case in single for answer in case.answers.values()):
        found.append(_position_table(run.name, single))
        found += [_confusion_table(run.name, single, arm) for arm in ARM_NAMES if _answered(single, arm)]
    return found


def chance_table(run: RunFigures, blind: BlindValues | None) -> ReportTable:
    """Chance, the most frequent letter and the blind target beside both arms, on the same questions of each row."""
    rows = []
    groups: dict[str, list[Case]] = {"all with choices": [case for case in run.cases if case.choices and case.truths]}
    for column, title in ALL_COLUMN_TITLES.items():
        of_column = [case for case in run.cases if case.column == column]
        groups[title] = [case for case in of_column if case.choices and case.truths] or of_column
    for name, cases in groups.items():
        if blind is not None:
            cases = [case for case in cases if (case.record, case.rollout) in blind]
        if cases:
            rows.append(TableLine([name, *_chance_cells(cases, blind)]))
    heads = ["", "n", "chance, %", "most frequent letter, %", "blind, %", "zero-shot, %", "AURELIA, %"]
    notes = [
        "Chance: a letter drawn at random. Most frequent letter: always the letter that is right most often. Both are"
        " of questions with choices: a column that has some counts only those, and one of open questions has neither.",
    ]
    if blind is None:
        notes.append(
            "Blind is not measured: bench report --blind RUN names a run of the same questions without their clips."
        )
    else:
        notes.append("Blind: the target alone, without the clip. Each row has the questions that the blind run scored.")
    return ReportTable(f"Chance and blind beside accuracy, {run.name}", heads, rows, notes)


def _chance_cells(cases: Sequence[Case], blind: BlindValues | None) -> list[str]:
    chance: float | None = None
    frequent: float | None = None
    if all(case.choices and case.truths for case in cases):
        chance = 100 * sum(len(case.truths) / case.choices for case in cases) / len(cases)
        letters = Counter(letter for case in cases for letter in case.truths)
        frequent = 100 * letters.most_common(1)[0][1] / len(cases)
    unseen = NO_VALUE
    if blind is not None:
        values = [blind[case.record, case.rollout] for case in cases]
        unseen = format_range(mean_percent(values, [case.clip for case in cases]))
    arms = [format_range(arm_accuracy(cases, arm)) for arm in ARM_NAMES]
    return [str(len(cases)), format_number(chance), format_number(frequent), unseen, *arms]


def _answered(cases: Sequence[Case], arm: Arm) -> list[Case]:
    return [case for case in cases if answer_value(case.answers.get(arm)) is not None]


def _letters(cases: Sequence[Case]) -> list[tuple[int, str]]:
    return list(enumerate(CHOICE_LETTERS[: max(case.choices for case in cases)]))


def _position_table(name: str, cases: Sequence[Case]) -> ReportTable:
    """How often each letter is right and chosen, and found where it is right, among the answers that were read."""
    rows = []
    for index, letter in _letters(cases):
        offered = [case for case in cases if case.choices > index]
        cells = [letter]
        for arm in ARM_NAMES:
            read = [case for case in _answered(offered, arm) if case.answers[arm].chosen is not None]
            cells += [str(len(read)), *_position_cells(read, index, arm)]
        rows.append(TableLine(cells))
    heads = ["letter"]
    for title in ARM_NAMES.values():
        heads += [f"{title}: n", "right, %", "chosen, %", "excess, points", "found where right, %"]
    notes = [
        "n: answers that were read as a choice, to questions that offer the letter; all figures of an arm are of them."
        " Excess: how much more often a letter is chosen than it is right, with 95 % intervals over clips; a target"
        " without position bias has intervals around 0.",
    ]
    return ReportTable(f"Position of the choice, {name}", heads, rows, notes)


def _position_cells(read: Sequence[Case], index: int, arm: Arm) -> list[str]:
    if not read:
        return [NO_VALUE] * 4
    right = [float(case.truths[0] == index) for case in read]
    chosen = [float(case.answers[arm].chosen == index) for case in read]
    excess = compare_values(right, chosen, [case.clip for case in read]).difference
    shares = [format_number(100 * sum(values) / len(read)) for values in (right, chosen)]
    found = arm_accuracy([case for case in read if case.truths == (index,)], arm)
    return [*shares, format_range(excess, True), format_range(found)]


def _confusion_table(name: str, cases: Sequence[Case], arm: Arm) -> ReportTable:
    """Counts of right against chosen letters."""
    letters = _letters(cases)
    counts = Counter((case.truths[0], case.answers[arm].chosen) for case in _answered(cases, arm))
    rows = []
    for truth, letter in letters:
        row = [counts[truth, chosen] for chosen, _ in letters] + [counts[truth, None]]
        rows.append(TableLine([f"right: {letter}", *map(str, row), str(sum(row))]))
    heads = ["", *(f"chosen: {letter}" for _, letter in letters), "not read", "all"]
    return ReportTable(f"Confusion of choices, {ARM_NAMES[arm]}, {name}", heads, rows)
