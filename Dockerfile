ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY homey_tokend ./homey_tokend
COPY docs/man ./docs/man
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheel . \
    && python -m venv --without-pip /opt/homey-tokend \
    && python -m pip --python /opt/homey-tokend/bin/python install --no-cache-dir --no-compile /wheel/*.whl \
    && python -m compileall -q -j 0 /opt/homey-tokend/lib

FROM ${PYTHON_IMAGE}
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="homey-tokend" \
      org.opencontainers.image.description="Keeps a valid Homey bearer token ready: on a unix socket and in a Homey logic variable" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /opt/homey-tokend /opt/homey-tokend
# Directories that any uid can use (--user), and in which only the owner of a file can replace it;
# the daemon's files in them are private to its user.
RUN groupadd --gid 10001 homey-tokend \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir / --shell /usr/sbin/nologin homey-tokend \
    && install -d -o 10001 -g 10001 -m 1777 /run/homey-tokend /var/lib/homey-tokend
ENV PATH=/opt/homey-tokend/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME ["/var/lib/homey-tokend"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=2 \
    CMD ["homey-tokend", "health"]
# The first process of a container has no default action for SIGTERM: the signal stays blocked
# until the daemon can handle it, so that a stop right after the start is not lost.
ENTRYPOINT ["env", "--block-signal=TERM", "homey-tokend"]
CMD ["run"]
