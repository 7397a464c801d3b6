"""Streamlit entry: `streamlit run app.py` hands over to workbench.ui."""

from workbench.ui import main

main()
