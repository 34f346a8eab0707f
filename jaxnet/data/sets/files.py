"""Files that came from elsewhere: found, compared with what was published, and never trusted."""

import functools
import hashlib
import os
from pathlib import Path

# It finds damage, not malice.
md5 = functools.partial(hashlib.md5, usedforsecurity=False)


def find(folder: str | os.PathLike[str], names: tuple[str, ...], home: str, note: str = "") -> Path:
    """The first of these names that is a file in the folder.

    Raises FileNotFoundError with the names, the folder and where they are published.
    """
    for name in names:
        path = Path(folder) / name
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"there is no {' or '.join(names)} in {os.fspath(folder)}; fetch it from {home} and give "
        f"the folder that it is in{note}"
    )


def check_sum(found: "hashlib._Hash", published: str, path: Path) -> None:
    """Raise unless the MD5 of what was read is the published one."""
    if found.hexdigest() != published:
        raise ValueError(
            f"{path} has the MD5 {found.hexdigest()}, but the published data have {published}: it "
            "is damaged or another file, so fetch it again; for a file of your own in this format "
            "give checksum=False"
        )
