"""The real doccano: what we write it imports, what two people's projects export we read, offsets right."""

from __future__ import annotations

import io
import os
import sys
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotation.writers import write
from stages.common.documents import Document, Mention
from stages.common.errors import AnnotationError
from stages.prepare.formats import read, read_by_annotator
from tests.e2e.tools import Client, free_port, running, wait_for

VENV = ROOT / ".venv-doccano"
BACKEND = VENV / "lib/python3.11/site-packages/backend"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (VENV / "bin/doccano").exists(), reason="doccano is not installed: make doccano-env"),
]
