# Targets: `cpu` (the default), `cuda`, `trainer`. Build with `docker build -t siamese .`, run with
# `docker run -p 8080:8080 siamese`. `--build-arg FEATURES=heic` adds HEIC (docs/deploying.md). Each image contains one program and the files it loads, on an empty base.
# The digest pins the base image. `docker buildx imagetools inspect rust:VERSION-bookworm` prints the digest of a newer one.
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1

FROM ${RUST_IMAGE} AS toolchain
RUN command -v pip3 > /dev/null \
    || (apt-get update && apt-get install -y --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*)
WORKDIR /src

# The layer that rarely changes: dependencies and ONNX Runtime, without our own code. Cargo needs the manifests of all
# workspace members, because they share one lock file.
FROM toolchain AS dependencies
# Features of the programs, separated by commas.
ARG FEATURES=
COPY Cargo.toml Cargo.lock ./
COPY core/Cargo.toml core/build.rs core/
COPY config/onnxruntime.txt config/onnxruntime.txt
COPY trainer/Cargo.toml trainer/Cargo.toml
COPY trainer/drawing/Cargo.toml trainer/drawing/Cargo.toml
COPY trainer/kernels/Cargo.toml trainer/kernels/Cargo.toml
RUN mkdir -p src core/src trainer/src trainer/drawing/src trainer/kernels/src \
    && touch src/lib.rs core/src/lib.rs trainer/src/lib.rs trainer/drawing/src/lib.rs trainer/kernels/src/lib.rs \
    && echo 'fn main() {}' | tee src/main.rs > trainer/src/main.rs \
    && cargo build --release --locked --package siamese --bin siamese --features "$FEATURES"

FROM dependencies AS server
COPY config config
COPY core core
COPY src src
# The sample images of the page.
COPY samples samples
RUN touch core/src/lib.rs src/lib.rs src/main.rs \
    && cargo build --release --locked --package siamese --bin siamese --features "$FEATURES"
COPY models/faces.onnx models/changes.onnx models/
# The program, its library and its model; from the system, only the C libraries and the certificate authorities.
RUN mkdir -p /image/opt/siamese/models /image/etc/ssl/certs /image/tmp \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && cp target/release/siamese target/onnxruntime/*/libonnxruntime.so /image/opt/siamese/ \
    && cp models/faces.onnx models/changes.onnx /image/opt/siamese/models/ \
    && ldd /image/opt/siamese/* | grep -o '/[^ :]*/ld-linux[^ ]*\|=> /[^ ]*' | sed 's/=> //' | sort -u \
    | xargs -I LIBRARY cp --parents --dereference LIBRARY /image \
    && echo 'siamese:x:65532:65532::/:/' > /image/etc/passwd && chmod 1777 /image/tmp

FROM scratch AS cpu
LABEL org.opencontainers.image.title="siamese" \
    org.opencontainers.image.description="Decides over HTTP whether two images show the same thing" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=server /image /
# Health and metrics use the admin port, which responds even when the service port has reached its limits. EXPOSE does not
# list it, so `docker run --publish-all` does not publish it.
ENV SIAMESE_SERVER__LISTEN=0.0.0.0:8080 SIAMESE_SERVER__ADMIN_LISTEN=0.0.0.0:9090 SIAMESE_MODEL__DEVICE=cpu \
    ORT_DISABLE_TELEMETRY=1
USER 65532:65532
WORKDIR /opt/siamese
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=2s --start-period=60s CMD ["/opt/siamese/siamese", "health"]
ENTRYPOINT ["/opt/siamese/siamese"]
CMD ["serve"]

# The official GPU build of ONNX Runtime and the CUDA and cuDNN libraries that it needs, from Python packages.
FROM toolchain AS gpu-libraries
COPY config/onnxruntime-gpu.txt config/onnxruntime-gpu.txt
RUN python3 -m pip download --quiet --dest /wheels --no-deps --only-binary=:all: --python-version 3.12 \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 \
    --platform manylinux2010_x86_64 --platform manylinux1_x86_64 --require-hashes -r config/onnxruntime-gpu.txt \
    && for wheel in /wheels/*.whl; do python3 -m zipfile -e "$wheel" /unpacked; done \
    && mkdir -p /image/opt/siamese/gpu && cd /image/opt/siamese/gpu \
    && cp /unpacked/onnxruntime/capi/libonnxruntime.so.* libonnxruntime.so \
    && cp /unpacked/onnxruntime/capi/libonnxruntime_providers_shared.so . \
    && cp /unpacked/onnxruntime/capi/libonnxruntime_providers_cuda.so . \
    && find /unpacked/nvidia -name '*.so.*' -exec cp {} . \; && rm -rf /wheels /unpacked
# The system libraries that these need in addition. The GPU driver of the host provides libcuda.so.1.
RUN export LD_LIBRARY_PATH=/image/opt/siamese/gpu \
    && ldd /image/opt/siamese/gpu/* > /loaded && ! grep 'not found' /loaded | grep -v 'libcuda\.so\.1' \
    && grep -o '=> /lib/[^ ]*' /loaded | sed 's/=> //' | sort -u \
    | xargs -I LIBRARY cp --parents --dereference LIBRARY /image

FROM cpu AS cuda
COPY --from=gpu-libraries /image /
ENV ORT_DYLIB_PATH=/opt/siamese/gpu/libonnxruntime.so LD_LIBRARY_PATH=/opt/siamese/gpu \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility SIAMESE_MODEL__DEVICE=require-gpu

FROM server AS trainer-build
COPY trainer trainer
RUN touch trainer/src/*.rs trainer/drawing/src/lib.rs trainer/kernels/src/lib.rs \
    && cargo build --release --locked --package siamese-trainer --bin siamese-trainer --features "$FEATURES" \
    && cp target/release/siamese-trainer /image/opt/siamese/ \
    && rm -r /image/opt/siamese/siamese /image/opt/siamese/models

FROM scratch AS trainer
COPY --from=trainer-build /image /
ENV ORT_DISABLE_TELEMETRY=1
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["/opt/siamese/siamese-trainer"]

FROM cpu
