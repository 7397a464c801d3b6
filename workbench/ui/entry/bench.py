"""What Streamlit runs for the bench; alone in its folder, which Streamlit puts on the path."""

from workbench.ui import main

main()
