"""`make bench`: every benchmark in one run, each as a ratio to, or beside, a baseline that it names."""

from pathlib import Path

import critic
import framework
import guidance
import local
import media
import questions


def main() -> None:
    """Prints framework, media, local weights, guidance, the paraphrased questions with their failures, the critic."""
    framework.main()
    media.main()
    local.main()
    guidance.main()
    data = Path(__file__).parent.parent / "tests" / "data"
    questions.main(str(data / "scenes.json"), str(data / "questions.jsonl"))
    critic.main()


if __name__ == "__main__":
    main()
