"""The Streamlit app; so far one page that says what there is to audit and how."""

from __future__ import annotations


def main() -> None:
    """Draws the page. Imports neither torch nor duckdb: Streamlit keeps its process for days."""
    import streamlit as st

    from workbench.suspects.cabinet import bundled, find

    st.set_page_config(page_title="Alignment auditing workbench", layout="centered")
    st.title("Alignment auditing workbench")
    st.write(
        "Find out whether a language model has a hidden objective. Audits run from the command "
        "line for now; this page lists what there is to audit."
    )
    st.header("Bundled suspects")
    homes = [find(name) for name in bundled()]
    if not homes:
        st.info(
            "No suspect is bundled with this installation. Build one with `workbench organism`."
        )
        return
    st.dataframe(
        [
            {
                "suspect": home.id,
                "access": ", ".join(home.access.names),
                "summary": home.summary,
            }
            for home in homes
        ],
        hide_index=True,
        width="stretch",
    )
    st.header("Audit one")
    name = st.selectbox("Suspect", [home.id for home in homes])
    st.code(f"make audit SUSPECT={name}", language="bash")
    st.caption("It writes out/report.html: every finding with its evidence.")
