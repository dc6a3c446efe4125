# syntax=docker/dockerfile:1
# dedup with everything of requirements.lock, as a user who is not root. See docs/containers.md.

FROM python:3.12-slim AS built
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
WORKDIR /source
RUN python -m venv /opt/dedup
COPY requirements.lock ./
# --no-deps because the lock is complete, see docs/decisions/0003.
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/dedup/bin/pip install --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY storage storage
COPY indexer indexer
COPY search search
COPY verify verify
COPY resolve resolve
COPY cli cli
RUN /opt/dedup/bin/pip install --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home dedup && install -d -o dedup /data
COPY --from=built /opt/dedup /opt/dedup
ENV PATH=/opt/dedup/bin:$PATH PYTHONUNBUFFERED=1
USER dedup
# The index and the lists: a volume on a local disk, for LMDB maps it into memory.
WORKDIR /data
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["dedup"]
CMD ["--help"]
