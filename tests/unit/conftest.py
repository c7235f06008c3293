"""What all unit tests share: a log whose tracebacks are short."""

import structlog


def pytest_configure() -> None:
    """By default structlog shows the variables of each frame: of a big cluster that takes half a minute."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )
