"""``python -m hub.cli``, for where the script is not on PATH."""

import sys

from hub.cli import main

sys.exit(main())
