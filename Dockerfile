# Image of a worker: `tacit run`, and every other command.
# The tag names the Python version; pin its digest, too, for production.

FROM python:3.12.12-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv --without-pip /opt/tacit
# Dependencies come first: they change seldom, and their layer stays cached while sources change.
COPY requirements-worker.lock ./
RUN python -m pip --python /opt/tacit/bin/python install --require-hashes --requirement requirements-worker.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY client client/
COPY connectors connectors/
COPY dataflows dataflows/
COPY operators operators/
COPY state state/
COPY tacit_cli tacit_cli/
COPY tacit_lab tacit_lab/
COPY tacit_service tacit_service/
# The core must be compiled; the image that runs has no compiler.
RUN TACIT_COMPILE=1 python -m pip wheel --no-deps --wheel-dir dist ./client . \
    && python -m pip --python /opt/tacit/bin/python install --no-deps --no-index dist/*.whl

FROM python:3.12.12-slim-bookworm
RUN groupadd --system --gid 10001 tacit \
    && useradd --system --uid 10001 --gid tacit --no-create-home --home-dir /state tacit \
    && install --directory --owner tacit --group tacit --mode 0700 /state
COPY --from=build /opt/tacit /opt/tacit
ENV PATH=/opt/tacit/bin:$PATH PYTHONUNBUFFERED=1
# A number, not a name: an orchestrator can then verify that the user is not root.
USER 10001:10001
WORKDIR /state
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9464/readyz', timeout=3)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["tacit"]
CMD ["--help"]
