# The commands for this repository. `just` lists them. `pip install rust-just` installs the program, and `.ci/run` installs it
# automatically. Each recipe is one command or script, which also runs without `just`.

set shell := ["bash", "-euo", "pipefail", "-c"]

# The time limit for all tests, without their build. A single test that waits fails with its name after ten minutes.
limit := "30m"

_list:
    @just --list --unsorted

# Format, lints, unit tests and API tests. Run it before each commit.
check: format lint
    cargo test --workspace --lib --bins --test api --test layers --locked

# All tests.
test:
    cargo test --workspace --locked

# Everything that CI runs; the tests come first.
ci: _test-within-limit test-without-kernels benchmark-smoke clients python recipes documents alerts deploy containers dependencies format lint documentation msrv

_test-within-limit:
    @echo "== tests"
    cargo test --workspace --locked --no-run
    timeout --kill-after=30s {{ limit }} {{ just_executable() }} test

# The trainings of the trainer without its kernels, and HEIC, in one build. It names the whole workspace, so cargo rebuilds only
# our own crates.
test-without-kernels:
    @echo "== the trainer without its kernels, and HEIC"
    cargo test --workspace --no-default-features --features heic --locked --lib --test cli --test bombs -- \
        train:: resume:: cells:: made:: heif:: heic

# A smoke run of the benchmark.
benchmark-smoke:
    @echo "== the benchmark, a smoke run"
    cargo bench --profile dev --bench service --locked -- --quick

# The page in a browser, and the API against its OpenAPI document.
clients:
    @echo "== the page in a browser, and the API against its OpenAPI document"
    tests/clients/run

# The Python package: tests, format and lints.
python:
    @echo "== the Python package"
    python/test
    cd python && cargo fmt --check
    cd python && cargo clippy --all-targets --locked -- -D warnings

# The recipes for many images and many embeddings, on Ray, PostgreSQL and Qdrant. `python` builds what they need.
recipes: python
    @echo "== the recipes, on Ray, PostgreSQL with pgvector, and Qdrant"
    python/recipes/test

# Examples and links in the documents.
documents:
    @echo "== examples and links in the documents"
    scripts/check_docs.py

# Alert rules, with promtool.
alerts:
    @echo "== alerts"
    scripts/check_alerts.sh

# Load balancer configurations, chart, Dockerfile and workflows.
deploy:
    @echo "== deployment files"
    scripts/check_deploy.py

# The failure test with three replicas in containers. Needs a Docker engine.
containers:
    @echo "== containers"
    tests/container/run

# Licences, sources and advisories of the dependencies.
dependencies:
    @echo "== dependencies"
    scripts/audit.sh

# Formatting.
format:
    @echo "== format"
    cargo fmt --all --check

# Lints; also of the core without the features of the server, and of the trainer without its kernels, with HEIC.
lint:
    @echo "== lints"
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo clippy --package siamese-core --all-targets --locked -- -D warnings
    cargo clippy --workspace --no-default-features --features heic --all-targets --locked -- -D warnings

# The documentation of the code.
documentation:
    @echo "== documentation"
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Builds the server with the oldest Rust that Cargo.toml supports.
msrv:
    @echo "== the oldest Rust"
    scripts/msrv.sh

# Fuzzes all untrusted input, for this many seconds per target. Needs a nightly toolchain.
fuzz seconds="60":
    scripts/fuzz.sh {{ seconds }}

# Measures rates, latencies, memory and start time, as in docs/benchmarks.md.
benchmark:
    cargo bench --bench service
