"""Logging, set up once a process: structlog, an event and its fields, JSON or colour on a terminal."""

import logging
import sys
from collections.abc import Mapping

import structlog

from openelb_bgp import __version__
from openelb_bgp.model.meta import EMPTY

_INFO_AND_BELOW = {0: logging.INFO}


def configure(*, verbosity: int, colour: bool | None, remarks: Mapping[str, str] = EMPTY) -> None:
    """Log to standard error: transitions at info, from verbosity 1 on details too.

    `colour` None chooses colour where standard error is a terminal, else one JSON object a line. `remarks`
    are what to say of flags at the start, by flag.
    """
    on_terminal = sys.stderr.isatty() if colour is None else colour
    renderer: structlog.types.Processor = (
        # By default it shows every local variable: ten thousand Services, and the Secrets among them.
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if on_terminal
        else structlog.processors.JSONRenderer()
    )
    rendering = [renderer] if on_terminal else [structlog.processors.format_exc_info, renderer]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *rendering,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_INFO_AND_BELOW.get(verbosity, logging.DEBUG)),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    log = structlog.get_logger(__name__)
    for flag, remark in remarks.items():
        log.warning("flag_given", flag=flag, remark=remark)


def started(role: str, **fields: str) -> None:
    """Say that a daemon has started: which one, of which version, and where it works."""
    structlog.get_logger(__name__).info("started", role=role, version=__version__, **fields)
