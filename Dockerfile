# A worker image for Beam runners that want one (--sdk_container_image), and the commands for those who prefer containers.
FROM apache/beam_python3.12_sdk:2.77.0

COPY . /opt/mlm-data
RUN python -m pip install --no-cache-dir /opt/mlm-data
