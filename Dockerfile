# posebot in a container: not as root, the versions of requirements.txt.
#
#   docker build -t posebot .                                            inference and `posebot demo`, CPU
#   docker build -t posebot:cuda --build-arg CUDA=1 .                    the same on NVIDIA: docker run --gpus all ...
#   docker build -t posebot:train --build-arg EXTRAS=synth,evaluate,train,yolo .  everything; torch brings CUDA along
#
#   docker run --rm -v "$PWD:/work" posebot infer --source pictures --camera camera.yaml --out results.jsonl

ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS build
ARG UV_VERSION=0.13.9
ARG EXTRAS=synth,evaluate
ARG CUDA=0
RUN pip install --no-cache-dir "uv==${UV_VERSION}" && python -m venv /opt/posebot
ENV VIRTUAL_ENV=/opt/posebot UV_LINK_MODE=copy UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1
WORKDIR /src
# The dependencies first: they change less often than the source. Compiled, since the user of the image cannot write there.
COPY pyproject.toml requirements.txt requirements-cuda.txt ./
RUN uv pip install --constraint requirements.txt --requirements pyproject.toml \
        $(echo "${EXTRAS}" | sed 's/[^,][^,]*/--extra &/g; s/,/ /g')
RUN if [ "${CUDA}" = 1 ]; then uv pip uninstall onnxruntime && uv pip install --requirements requirements-cuda.txt; fi
COPY README.md LICENSE ./
COPY posebot ./posebot
COPY ray_apps ./ray_apps
RUN uv pip install --no-deps .

FROM python:${PYTHON}-slim-bookworm
# OpenCV wants libGL and GLib, the renderers EGL with Mesa's drivers, Mitsuba LLVM 19 and libatomic.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libatomic1 libegl-mesa0 libegl1 libgl1 libgl1-mesa-dri libglib2.0-0 libllvm19 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 posebot \
    && install --directory --owner posebot /work
COPY --from=build /opt/posebot /opt/posebot
# NVIDIA's runtime mounts the driver for what is named here; harmless without one.
ENV PATH=/opt/posebot/bin:$PATH \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,graphics,utility \
    PYTHONUNBUFFERED=1 \
    YOLO_OFFLINE=true \
    YOLO_AUTOINSTALL=false \
    MLFLOW_DISABLE_TELEMETRY=true \
    RAY_USAGE_STATS_ENABLED=0
USER posebot
WORKDIR /work
HEALTHCHECK --interval=60s --timeout=30s --start-period=10s --retries=3 CMD ["posebot", "doctor", "--quick", "--json"]
ENTRYPOINT ["posebot"]
CMD ["--help"]
