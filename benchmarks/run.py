"""`make bench`: every benchmark in one run, each as a ratio to a baseline that it names."""

import framework
import media


def main() -> None:
    """Prints the figures of the framework, then those of the media."""
    framework.main()
    media.main()


if __name__ == "__main__":
    main()
