"""What happens to a finished graph: tracked, reported, registered, promoted, rolled back.

Everything with side effects on servers lives here; stages stay pure. Commands (`python -m delivery.<command>`) and what
stands behind them:

==================================  ===============================================================================
ground floor                        `revisions` and `staleness` (a commit, from git alone), `outputs` and `stored` (what
                                    DVC keeps of it), `git`, `github`, `server` (MLflow), `command`, `faults`
`track`, `compare`                  `tracking`, `drafts`, `locks`, `experiments`, `pictures`, `runs`
`report`, `comment`                 `comparison`, `intervals`, `directions`; `changes`, `document_changes`, `mentions`;
                                    `summary`, `sections`, `metric_tables`, `figures`, `markdown`
`register`, `promote`, `rollback`,  `registry`, `claims`, `gates` (bounds in `gate.yaml`), `rescoring`, `card`;
`lineage`                           `extractor_model`, `served_extractor`, `closure` (what a version holds)
`reproduce`, `push`, `results`,     one step of a workflow each (`processes`: shown, ended whole; `lock_files`: DVC's
`publish`, `propose`, `dispatch`,   own files, taken for data that somebody else made)
`act`
`merge`, `leftovers`                two branches that both added batches; what a DVC that died left half-written
==================================  ===============================================================================
"""

import os

# Before MLflow is imported anywhere: nothing is sent about who uses what.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
