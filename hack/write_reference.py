"""Writes those pages of docs/reference that are made from the code; `make reference` calls it."""

from pathlib import Path

from pages.reference import FOLDER, pages

TOP = Path(__file__).resolve().parent.parent


def main() -> None:
    """Write every page to its file."""
    for name, text in pages().items():
        (TOP / FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
