ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY homey_tokend ./homey_tokend
RUN python -m venv /opt/homey-tokend \
    && /opt/homey-tokend/bin/pip install --no-cache-dir . \
    && /opt/homey-tokend/bin/pip uninstall --yes pip

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/homey-tokend /opt/homey-tokend
RUN groupadd --gid 10001 homey-tokend \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir / --shell /usr/sbin/nologin homey-tokend \
    && install -d -o 10001 -g 10001 -m 0755 /run/homey-tokend \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/homey-tokend
ENV PATH=/opt/homey-tokend/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME ["/var/lib/homey-tokend"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["homey-tokend"]
CMD ["run"]
