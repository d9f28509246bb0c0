# What is done with this repository, by name. `just` lists it; `pip install rust-just` has the program, and `.ci/run` gets it by
# itself. Each recipe is one command or one script, which can as well be run by hand.

set shell := ["bash", "-euo", "pipefail", "-c"]

# How long all tests may take once they are built. A test that waits ends by itself, with its name, after ten minutes.
limit := "30m"

_list:
    @just --list --unsorted

# Format, lints, unit tests and tests of the API: what to run before each commit.
check: format lint
    cargo test --workspace --lib --bins --test api --test layers --locked

# All tests.
test:
    cargo test --workspace --locked

# All that must hold, as CI runs it: the tests first.
ci: _test-within-limit test-without-kernels benchmark-smoke clients documents alerts deploy containers dependencies format lint documentation msrv

_test-within-limit:
    @echo "== tests"
    cargo test --workspace --locked --no-run
    timeout --kill-after=30s {{ limit }} {{ just_executable() }} test

# The trainer's tests without its own kernels; of the whole workspace, so that nothing but the trainer is built again.
test-without-kernels:
    @echo "== the trainer without its kernels"
    cargo test --workspace --no-default-features --locked --test cli

# The benchmark of the whole, a smoke run.
benchmark-smoke:
    @echo "== the benchmark of the whole, a smoke run"
    cargo bench --profile dev --bench service --locked -- --quick

# The page in a browser, and the API against its document.
clients:
    @echo "== the page in a browser, and the API against its document"
    tests/clients/run

# Code in the documents.
documents:
    @echo "== code in the documents"
    scripts/check_docs.py

# Alerts, by Prometheus's own tool.
alerts:
    @echo "== alerts"
    scripts/check_alerts.sh

# Balancers' files, chart, Dockerfile and workflows.
deploy:
    @echo "== what it is deployed by"
    scripts/check_deploy.py

# Three replicas in containers, where a Docker engine answers.
containers:
    @echo "== containers"
    tests/container/run

# Licences, sources and advisories of the dependencies.
dependencies:
    @echo "== dependencies"
    scripts/audit.sh

# Whether all is formatted.
format:
    @echo "== format"
    cargo fmt --all --check

# Lints; the core also as the trainer has it, without the features that the server enables, and the trainer without its kernels.
lint:
    @echo "== lints"
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo clippy --package siamese-core --all-targets --locked -- -D warnings
    cargo clippy --workspace --no-default-features --all-targets --locked -- -D warnings

# The documentation of the code.
documentation:
    @echo "== documentation"
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Whether the oldest Rust that Cargo.toml promises builds the server.
msrv:
    @echo "== the oldest Rust"
    scripts/msrv.sh

# Fuzzes all that strangers send, for so many seconds; needs a nightly toolchain.
fuzz seconds="60":
    scripts/fuzz.sh {{ seconds }}

# Rates, latencies, memory and start, as in docs/benchmarks.md.
benchmark:
    cargo bench --bench service
