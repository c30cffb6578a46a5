"""`make bench`: every benchmark in one run, each as a ratio to, or beside, a baseline that it names."""

from pathlib import Path

import critic
import framework
import guidance
import media
import questions
import report
import throughput


def main() -> None:
    """Prints framework, media, throughput, guidance, the paraphrased questions, the critic's ranking and the report."""
    framework.main()
    media.main()
    throughput.main()
    guidance.main()
    data = Path(__file__).parent.parent / "tests" / "data"
    questions.main(str(data / "scenes.json"), str(data / "questions.jsonl"))
    critic.main()
    report.main()


if __name__ == "__main__":
    main()
