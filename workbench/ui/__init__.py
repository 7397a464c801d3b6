"""The Streamlit app. It asks the core and draws; its process imports neither torch nor duckdb."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Leaf:
    """A page: its key, which is its path in the URL, title, icon, what draws it. later: it stands
    behind "View more" in the menu, after all others."""

    key: str
    title: str
    icon: str
    draw: Callable[[], None]
    later: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """One of the app's worlds, which never share a process: its pages, the first one its home.

    settle: run before all else, to learn from the URL where the reader is. beside: the sidebar.
    door: whether the reader may come in; while not, it is all that is drawn.
    """

    name: str
    leaves: Sequence[Leaf]
    settle: Callable[[], None]
    beside: Callable[[], None]
    door: Callable[[], bool] = lambda: True


def main(world: Callable[[], World] | None = None) -> None:
    """Draws the page that is asked for, of the bench where no other world is named."""
    import streamlit as st

    from workbench.ui import theme
    from workbench.ui.bench_pages import bench

    shown = (world or bench)()
    st.set_page_config(
        page_title=f"{shown.name} · alignment auditing workbench",
        page_icon=theme.ICON,
        layout="wide",
        initial_sidebar_state="auto",
    )
    st.html(theme.stylesheet(theme.palette()))
    pages = {
        leaf.key: st.Page(
            _titled(leaf),
            title=leaf.title,
            icon=leaf.icon,
            url_path=leaf.key if place else None,
            default=not place,
        )
        for place, leaf in enumerate(shown.leaves)
    }
    st.session_state["_pages"] = pages
    inside = shown.door()
    # a menu in sections is no list that a screen reader can read out (axe-core: list, listitem)
    current = st.navigation(
        list(pages.values()),
        position="sidebar" if inside else "hidden",
        expanded=sum(not leaf.later for leaf in shown.leaves),
    )
    if not inside:
        return
    st.session_state["_page"] = next(k for k, p in pages.items() if p.url_path == current.url_path)
    shown.settle()
    shown.beside()
    current.run()


def _titled(leaf: Leaf) -> Callable[[], None]:
    def page() -> None:
        import streamlit as st

        from workbench.ui.where import guarded

        st.title(leaf.title)
        with guarded():
            leaf.draw()

    page.__name__ = leaf.key
    return page
