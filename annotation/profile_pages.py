"""Tables to pages, in the profiler's own environment: called by `annotation.profile`."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd


def main(tables: Path, target: Path, batch: str) -> None:
    """Write one page for each Parquet table; a page that was there is replaced when the new one is whole."""
    from data_profiling import ProfileReport

    for table in sorted(tables.glob("*.parquet")):
        frame = pd.read_parquet(table)
        report = ProfileReport(
            frame,
            # Left to itself it takes labels for prose and draws clouds of words, where counts of values are asked for.
            type_schema=dict.fromkeys(frame.select_dtypes("object"), "categorical"),
            title=f"{batch}: {table.stem}",
            minimal=True,
            progress_bar=False,
            samples=None,  # no rows: what is counted may be seen, not who wrote what
            duplicates=None,
            html={"inline": True, "use_local_assets": True, "navbar_show": True},
        )
        page = target / f".{table.stem}.html"
        report.to_file(page, silent=True)
        page.replace(target / f"{table.stem}.html")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, help="folder of Parquet tables")
    parser.add_argument("target", type=Path, help="folder of the pages")
    parser.add_argument("batch", help="its name, for the titles")
    main(**vars(parser.parse_args()))
