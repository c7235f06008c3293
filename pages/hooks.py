"""What mkdocs calls while it builds the site: files of the top folder become pages, links are made to hold.

Wiring only; what a page holds is made in the modules beside this one.
"""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from pages.links import AT_THE_TOP, DOCS, DeadLink, for_the_site

TOP = Path(__file__).resolve().parents[1]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand in the top folder."""
    for source, page in AT_THE_TOP.items():
        files.append(File.generated(config, page, content=_content(source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page with its links as they are on the site. Raises PluginError where one leads nowhere."""
    name = page.file.src_uri
    source = next((top for top, made in AT_THE_TOP.items() if made == name), f"{DOCS}/{name}")
    try:
        return for_the_site(markdown, source=source, exists=lambda path: (TOP / path).exists())
    except DeadLink as exc:
        raise PluginError(str(exc)) from exc


def _content(source: str) -> str:
    text = (TOP / source).read_text()
    return text if source.endswith(".md") else f"# {source.title()}\n\n```text\n{text}```\n"
