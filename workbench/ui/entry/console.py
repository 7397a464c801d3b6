"""What Streamlit runs for an organiser; alone in its folder, which Streamlit puts on the path."""

from workbench.ui import main
from workbench.ui.console_pages import console

main(console)
