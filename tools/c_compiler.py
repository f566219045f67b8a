"""C compiler and headers of Python, which compile the core (hatch_build.py).

`python -m tools.c_compiler` installs missing ones, if root runs it on Debian; otherwise it prints the missing ones, and
the core runs uncompiled.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

DEBIAN_PACKAGES = ("gcc", "libc6-dev", "python3-dev")


def missing() -> list[str]:
    """Return the names of missing parts."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    compiler = os.environ.get("CC", "cc gcc clang").split()
    found = {"a C compiler": any(map(shutil.which, compiler)), str(header): header.exists()}
    return [name for name, is_there in found.items() if not is_there]


def main() -> int:
    """Install missing parts, or print them; return the exit code."""
    if os.environ.get("TACIT_COMPILE") == "0" or not missing():
        return 0
    if os.geteuid() == 0 and shutil.which("apt-get") is not None:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *DEBIAN_PACKAGES)
        for command in (("apt-get", "update", "-qq"), install):
            subprocess.run(command, env=environment, stdout=sys.stderr, check=False)  # noqa: S603
    if parts := missing():
        print(  # noqa: T201
            f"missing: {', '.join(parts)}. The core will run uncompiled, many times slower. Install a C compiler and "
            f"the headers of this Python (Debian, as root: apt-get install {' '.join(DEBIAN_PACKAGES)}), then run "
            "this again",
            file=sys.stderr,
        )
        return os.environ.get("TACIT_COMPILE") == "1"
    return 0


if __name__ == "__main__":
    sys.exit(main())
