"""`make bench`: every benchmark in one run, each as a ratio to, or beside, a baseline that it names."""

from pathlib import Path

from benchmarks import bytes as sent
from benchmarks import (
    decoding,
    framework,
    local,
    media,
    peers,
    report,
    scaling,
    startup,
    strategies,
    throughput,
    witnesses,
)
from benchmarks.offline import critic, guidance, ordinary, questions, schedules, truthful


def main() -> None:
    """Prints every benchmark: what the program costs, then what it is worth, with the failures of questions."""
    framework.main()
    peers.main([])
    startup.main()
    media.main()
    decoding.main()
    throughput.main()
    scaling.main()
    strategies.main()
    sent.main()
    local.main()
    guidance.main()
    data = Path(__file__).parent.parent / "tests" / "data"
    questions.main(str(data / "scenes.json"), str(data / "questions.jsonl"))
    truthful.main()
    ordinary.main()
    witnesses.main()
    schedules.main()
    critic.main()
    report.main()


if __name__ == "__main__":
    main()
