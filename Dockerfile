# Image with the package, the workflow, and the versions of requirements.lock: `docker build --tag uadbench .`
# TORCH=cpu as a build argument spares the CUDA libraries. docs/sharing.md shows how to run it.

# By tag, as the actions of CI: nobody has read their digests from the registry yet (docs/contributing.md).
FROM python:3.12-slim

# torch.compile needs a C compiler on CUDA. The versions are those of the base image's release of Debian.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/uadbench

# As in the Makefile; before the sources, so that a change of these installs nothing again.
ARG TORCH=cuda
COPY requirements.lock requirements.hashes ./
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement requirements.hashes
RUN case "$TORCH" in \
        cuda) pip install --no-cache-dir --requirement requirements.lock ;; \
        cpu) pip install --no-cache-dir --requirement requirements.lock \
            --extra-index-url https://download.pytorch.org/whl/cpu "$(grep '^torch==' requirements.lock)+cpu" ;; \
        *) echo "TORCH=$TORCH: there are cuda and cpu" >&2; exit 1 ;; \
    esac

COPY pyproject.toml README.md LICENSE Snakefile config.yaml ./
COPY baselines ./baselines
COPY config ./config
COPY container ./container
COPY envs ./envs
COPY profiles ./profiles
COPY uadbench ./uadbench
COPY workflow ./workflow

# In place: baselines, workflow and package are one checkout. Snakemake's notes lie beside the results, on their volume;
# any user may write these and a home.
RUN pip install --no-cache-dir --no-deps --editable . \
    && ln -s results/.snakemake .snakemake \
    && mkdir --mode 1777 results \
    && useradd --create-home --uid 1000 uadbench \
    && chmod 1777 /home/uadbench

# A user given by `--user` has no entry in /etc/passwd, where programs look for these.
ENV HOME=/home/uadbench \
    USER=uadbench \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_MMAP_THRESHOLD_=33554432 \
    MALLOC_TRIM_THRESHOLD_=1073741824

USER 1000
VOLUME /opt/uadbench/results
ENTRYPOINT ["/opt/uadbench/container/entrypoint.sh"]
CMD ["--help"]
