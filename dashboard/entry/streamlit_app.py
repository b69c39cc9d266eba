"""What `streamlit run` runs, for each person and each click.

It stands in a folder of its own: Streamlit takes a folder `pages` beside it for pages of an older kind, and runs a
file of it by itself when somebody opens its address first.
"""

from dashboard.app import main

main()
