"""Tests run beside other work: torch's threads would wait for each other, busily, for minutes."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
