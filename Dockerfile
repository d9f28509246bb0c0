# The server alone: no trainer, no Python. Build with `docker build -t siamese .`, run with
# `docker run -p 8080:8080 siamese`.
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# All members' manifests are needed, because of the one lock file.
COPY Cargo.toml Cargo.lock rust-toolchain.toml build.rs ./
COPY trainer/Cargo.toml trainer/Cargo.toml
COPY trainer/kernels/Cargo.toml trainer/kernels/Cargo.toml
RUN mkdir -p trainer/src trainer/kernels/src && touch trainer/kernels/src/lib.rs \
    && echo 'fn main() {}' | tee trainer/src/main.rs > trainer/src/lib.rs
COPY config config
COPY src src
# The samples of the page.
COPY tests/fixtures/faces tests/fixtures/faces
RUN cargo build --release --locked --bin siamese \
    && cp target/onnxruntime/*/libonnxruntime.so target/release/

FROM debian:bookworm-slim
RUN useradd --system --no-create-home siamese
COPY --from=build /src/target/release/siamese /src/target/release/libonnxruntime.so /opt/siamese/
COPY models/faces.onnx /opt/siamese/models/faces.onnx
ENV SIAMESE_SERVER__LISTEN=0.0.0.0:8080 ORT_DISABLE_TELEMETRY=1
USER siamese
WORKDIR /opt/siamese
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/siamese/siamese"]
CMD ["serve"]
