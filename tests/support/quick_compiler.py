"""C compiler for builds whose files are checked, and whose speed is not: it leaves out the optimization."""

import shlex
import shutil
import sysconfig
from pathlib import Path

_SCRIPT = '#!/bin/sh\nexec {compiler} "$@" -O0\n'


def quick_compiler(folder: Path) -> dict[str, str]:
    """Write the compiler into a folder, and return the variable of the environment that names it."""
    script = folder / "quick-cc"
    compiler = shutil.which("cc") or shlex.split(sysconfig.get_config_var("CC"))[0]
    script.write_text(_SCRIPT.format(compiler=shlex.quote(compiler)))
    script.chmod(0o755)
    return {"CC": str(script)}
