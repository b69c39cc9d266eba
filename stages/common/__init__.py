"""The ground floor: what every stage shares. Imports no stage."""

import os
import platform

# OpenBLAS picks its kernels by the processor, and they round differently. One set for all x86-64
# machines of the last ten years makes a model the same bytes on each; it must be chosen before
# numpy is imported, which is why it stands here, in what every stage imports first.
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
