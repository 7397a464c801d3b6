"""What Streamlit runs for a team; alone in its folder, which Streamlit puts on the path."""

from workbench.ui import main
from workbench.ui.game_pages import team

main(team)
