"""Model hubs with the protocol of huggingface.co: paths, listings, pins.

``hf://org/repo@revision/name`` means ``<endpoint>/org/repo/resolve/revision/name``. The revision is
a commit, a branch or a tag. Pins always name the commit.
"""

import fnmatch
import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin

from weights.errors import WeightsError
from weights.files.pins import Pin, Pins
from weights.files.side_files import CHECKPOINT_FILES
from weights.files.strict_json import parse, parse_object
from weights.net.web import Access, InterruptedTransferError, open_url, pieces, shown
from weights.progress import Advance, silent

_PATH = re.compile(
    r"hf://(?P<org>[\w][\w.-]*)/(?P<repo>[\w][\w.-]*)"
    r"(?:@(?P<revision>[\w][\w.%-]*))?(?:/(?P<path>[^?#\s]+))?/?",
    re.ASCII,
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_MOST_ENTRIES = 20_000
"""Entries of a listing, at most."""

_MOST_FILES = 1_000
"""Files that are pinned, at most. Each small one is fetched."""

_MOST_FOLDERS = 20
"""Folders of side files, at most. Each is a request."""

_LEAST_ON_A_PAGE = 200
"""Entries that any page counts as, so that empty pages end too."""

_MOST_BYTES = 100_000_000
"""Bytes of a small file, at most, which is hashed in memory. Larger ones are in the hub's LFS."""

_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


@dataclass(frozen=True, slots=True)
class HubPath:
    """A place in a repository of a hub.

    Attributes:
        repository: the name of the repository, ``org/repo``.
        revision: a commit, a branch or a tag.
        path: a folder or a file in the repository, or "".
    """

    repository: str
    revision: str
    path: str

    @classmethod
    def parse(cls, url: str) -> "HubPath":
        """Parse ``hf://org/repo[@revision][/path]``. The default revision is ``main``.

        Raises:
            WeightsError: the URL is not of that form.
        """
        match = _PATH.fullmatch(url)
        path = (match["path"] or "").rstrip("/") if match else ""
        if match is None or {"", ".", ".."} & set(path.split("/") if path else []):
            raise WeightsError(
                f"{shown(url)} is not of the form hf://org/repo@revision or "
                "hf://org/repo@revision/folder. Correct it."
            )
        repository = f"{match['org']}/{match['repo']}"
        return cls(repository, match["revision"] or "main", path)

    def resolve(self, access: Access) -> str:
        """Return the URL under which the hub serves the file."""
        return f"{access.endpoint}/{self.repository}/resolve/{self.revision}/{quote(self.path)}"

    def api(self, access: Access, kind: str, revision: str) -> str:
        """Return a URL of the hub's API.

        Args:
            access: the hub.
            kind: ``revision`` or ``tree``.
            revision: the commit, branch or tag.
        """
        return f"{access.endpoint}/api/models/{self.repository}/{kind}/{revision}"


def pin_hub(
    url: str,
    access: Access,
    include: Sequence[str] = CHECKPOINT_FILES,
    progress: Advance = silent,
) -> Pins:
    """Pin the files of a hub's repository, or of one folder of it, at the commit of its revision.

    Large files are not fetched: the hub's listing has their digests. Small ones are fetched and
    hashed.

    Args:
        url: ``hf://org/repo[@revision][/folder]``.
        access: the hub and the token.
        include: patterns of paths below the folder. Subfolders are only listed if a pattern names
            a file in such a subfolder.
        progress: called with the number of bytes of the small files.

    Raises:
        WeightsError: no such repository, revision or folder, or nothing in it to pin.
    """
    where = HubPath.parse(url)
    commit = _commit(where, access)
    folder = f"/{where.path}" if where.path else ""
    origin = f"hf://{where.repository}@{commit}{folder}"
    pins: list[Pin] = []
    for name, entry in _files(where, commit, access, include):
        if len(pins) == _MOST_FILES:
            raise WeightsError(
                f"{url} has more than {_MOST_FILES:,} files to pin. Name a folder of the "
                "repository: hf://org/repo@revision/folder."
            )
        pins.append(_pin(name, entry, origin, access, progress))
    if not any(pin.name.endswith(".safetensors") for pin in pins):
        raise WeightsError(
            f"{url} holds no safetensors among {', '.join(include)}. Only safetensors are read: "
            "choose a repository, revision or folder that has them."
        )
    return Pins(tuple(pins), origin)


def _commit(where: HubPath, access: Access) -> str:
    url = where.api(access, "revision", where.revision)
    answer = parse_object(_get(url, access)[0], shown(url), "Check HF_ENDPOINT.")
    commit = answer.get("sha")
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise WeightsError(f"{shown(url)} names no commit. Check HF_ENDPOINT: is it a model hub?")
    return commit


def _files(
    where: HubPath, commit: str, access: Access, include: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the files below a folder that match a pattern: relative path and entry of the listing.

    ``fnmatch`` lets ``*`` match a ``/`` too, so patterns are compared part by part.
    """
    patterns = [pattern.split("/") for pattern in include]
    folders_left = _MOST_FOLDERS
    for entry in _listing(where, commit, access):
        name = entry["path"].rpartition("/")[2]
        inner = [rest for first, *rest in patterns if fnmatch.fnmatchcase(name, first)]
        if entry["type"] == "file" and [] in inner:
            yield name, entry
        below = ["/".join(rest) for rest in inner if rest]
        if entry["type"] == "directory" and below:
            folders_left -= 1
            if folders_left < 0:
                raise WeightsError(
                    f"{where.repository} has more than {_MOST_FOLDERS} folders of side files. "
                    "Check HF_ENDPOINT."
                )
            folder = HubPath(where.repository, where.revision, entry["path"])
            for path, found in _files(folder, commit, access, below):
                yield f"{name}/{path}", found


def _listing(where: HubPath, commit: str, access: Access) -> Iterator[dict[str, Any]]:
    """Yield the entries of the folder, from all pages of the listing."""
    url = where.api(access, "tree", commit) + (f"/{quote(where.path)}" if where.path else "")
    seen = set()
    entries_left = _MOST_ENTRIES
    while url not in seen:
        seen.add(url)
        raw, following = _get(url, access)
        entries = parse(raw, shown(url), "Check HF_ENDPOINT.")
        if not isinstance(entries, list):
            raise WeightsError(
                f"{shown(url)} is not a listing. Check HF_ENDPOINT: is it a model hub?"
            )
        entries_left -= max(len(entries), _LEAST_ON_A_PAGE)
        if entries_left < 0:
            raise WeightsError(
                f"{shown(url)}: the listing has more than {_MOST_ENTRIES:,} entries. Check "
                "HF_ENDPOINT, or name a folder of the repository: hf://org/repo@revision/folder."
            )
        for entry in entries:
            if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
                raise WeightsError(f"{shown(url)}: malformed listing. Check HF_ENDPOINT.")
            yield {"type": None, **entry}
        if following is None:
            return
        try:
            url = urljoin(url, following)
        except ValueError:
            raise WeightsError(f"{shown(url)}: malformed listing. Check HF_ENDPOINT.") from None
    raise WeightsError(f"{shown(url)}: the listing goes round in a circle. Check HF_ENDPOINT.")


def _pin(name: str, entry: dict[str, Any], origin: str, access: Access, progress: Advance) -> Pin:
    lfs = entry.get("lfs")
    if isinstance(lfs, dict):
        oid, size = lfs.get("oid"), lfs.get("size")
        if not isinstance(oid, str) or type(size) is not int:
            raise WeightsError(f"the hub's listing has no digest or no size of {name}.")
        return Pin(name, oid, size)
    url = HubPath.parse(f"{origin}/{name}").resolve(access)
    raw, _ = _get(url, access)
    progress(len(raw))
    return Pin(name, hashlib.sha256(raw).hexdigest(), len(raw))


def _get(url: str, access: Access) -> tuple[bytes, str | None]:
    """Fetch a small document; return it and the URL of the next page, if there is one."""
    for attempt in range(access.attempts):
        try:
            with open_url(url, access) as response:
                raw = bytearray()
                for piece in pieces(response, url, access):
                    raw += piece
                    if len(raw) > _MOST_BYTES:
                        raise WeightsError(
                            f"{shown(url)} is larger than {_MOST_BYTES:,} bytes. Check HF_ENDPOINT."
                        )
                length = response.headers.get("Content-Length", "")
                if length.isdecimal() and length.lstrip("0") != str(len(raw) or ""):
                    raise InterruptedTransferError(f"{shown(url)}: the answer ended early")
                match = _NEXT.search(response.headers.get("Link", ""))
                break
        except InterruptedTransferError as error:
            problem = error
        if attempt + 1 < access.attempts:
            time.sleep(access.pause * 2**attempt)
    else:
        raise WeightsError(f"{problem}, and did so repeatedly. Check the network and HTTPS_PROXY.")
    return bytes(raw), match[1] if match else None
