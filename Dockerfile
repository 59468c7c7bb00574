# closewatch as an image: the wheel with the clients of all that it can watch, run as nobody in particular on a disk that may
# be read-only. What pgBackRest holds is watched from the repository's host: that program is not in here.
# Build: docker build --tag registry.example.com/closewatch:0.1.0 .
# Run:   docker run --read-only --volume ./closewatch.yml:/etc/closewatch/closewatch.yml:ro --publish 127.0.0.1:10187:10187 IMAGE

ARG PYTHON=3.12.12-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /src
# What the wheel is made of, and nothing else.
COPY pyproject.toml README.md LICENSE ./
COPY alerting alerting
COPY dashboards dashboards
COPY exporters exporters
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /dist .
# Only finished wheels: nothing is compiled, here or below. pip itself stays behind. Of the descriptions of all of Amazon's
# services, two thirds of botocore and more, only those for S3 and for logging in are kept.
RUN python -m venv --without-pip /opt/closewatch \
    && wheel="$(ls /dist/closewatch-*.whl)" \
    && pip --python /opt/closewatch/bin/python install --no-cache-dir --only-binary :all: "closewatch[all] @ file://${wheel}" \
    && cd /opt/closewatch/lib/python3*/site-packages/botocore/data \
    && find . -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name sts ! -name 'sso*' ! -name signin -exec rm -r {} +
# What is in the image, for whoever must know: CycloneDX, by the project's own tool, from what was really installed.
RUN python -m venv /opt/sbom \
    && /opt/sbom/bin/pip install --no-cache-dir --only-binary :all: "cyclonedx-bom>=7.5,<8" \
    && mkdir -p /opt/closewatch/share/closewatch \
    && /opt/sbom/bin/cyclonedx-py environment --output-reproducible \
        --output-file /opt/closewatch/share/closewatch/sbom.cdx.json /opt/closewatch/bin/python

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="closewatch" \
      org.opencontainers.image.description="Prometheus exporters for the systems that carry a company's books" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 closewatch \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin closewatch
COPY --from=build /opt/closewatch /opt/closewatch
ENV PATH=/opt/closewatch/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 10187
ENTRYPOINT ["closewatch"]
CMD ["serve", "/etc/closewatch/closewatch.yml", "--web.listen-address", "0.0.0.0:10187"]
