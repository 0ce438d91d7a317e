#!/usr/bin/env bash
# Installs the frameworks Netwright is measured against, into this folder and nowhere else: node_modules and venv.
#   bench/peers/setup.sh                    both
#   bench/peers/setup.sh javascript|python  one of them
#   PYTHON=python3.12 bench/peers/setup.sh  with another interpreter (3.10 or newer)
# PyTorch's wheel for Linux on PyPI brings CUDA's libraries (about 5 GB); where PyTorch's own index can be reached,
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu and torch==…+cpu are smaller and as fast here.
set -euo pipefail
cd "$(dirname "$0")"
what=${1:-all}

if [ "$what" = all ] || [ "$what" = javascript ]; then
  npm install --no-package-lock --ignore-scripts --no-audit --no-fund
fi

if [ "$what" = all ] || [ "$what" = python ]; then
  [ -x venv/bin/python ] || "${PYTHON:-python3}" -m venv venv
  venv/bin/python -m pip install --disable-pip-version-check -r requirements.txt
fi
