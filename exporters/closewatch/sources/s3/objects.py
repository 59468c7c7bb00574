"""Which objects lie below a prefix, with their versions and delete markers, by a bounded number of requests.

What was not looked at is said (`gaps`): that a name is missing from there means nothing. A long listing goes on in the
next look where this one ended. Without the right to list versions, the current objects are listed alone.
Source: Amazon S3's API reference, ListObjectVersions, ListObjectsV2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

PAGES = 10
"""Requests for the listing of one walk: 10,000 versions."""
FOLDERS = 100
"""Folders into which a walk looks, the last by name first."""
END = "\U0010ffff"
"""Later than the end of any name."""
Page = Mapping[str, Any]
Ask = Callable[[str, Mapping[str, Any]], Page | None]
"""A call and its parameters; None where the call is not allowed or not known."""


@dataclass(frozen=True, slots=True)
class Walk:
    """The way to objects: down `folders` (a name, or * for each), to names that begin with `begin`.

    `deep` is whether folders below are listed too.
    """

    folders: tuple[str, ...] = ()
    begin: str = ""
    deep: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """An object's current version; `at` is when it was last modified, in Unix seconds."""

    name: str
    size: int
    tag: str
    at: float


@dataclass(frozen=True, slots=True)
class Marker:
    """A delete marker that hides an object now: when it was set, and when the version below it was made."""

    name: str
    at: float
    made: float | None


@dataclass(slots=True)
class Objects:
    """What was seen. Names are relative to the prefix; `gaps` are (after, up to), both such names."""

    current: dict[str, Seen] = field(default_factory=dict)
    markers: dict[str, Marker] = field(default_factory=dict)
    all_markers: int = 0
    gaps: list[tuple[str, str]] = field(default_factory=list)
    cursor: str = ""
    versions: bool = True

    def covers(self, name: str) -> bool:
        """Whether this look would have seen an object of this name."""
        return not any(after < name <= upto for after, upto in self.gaps)


class Walker:
    """Walks below a prefix. `keep` says which names matter."""

    def __init__(self, ask: Ask, prefix: str, keep: Callable[[str], bool]) -> None:
        self._ask = ask
        self._prefix = prefix
        self._keep = keep
        self._folders = FOLDERS
        self.found = Objects()

    def walk(self, way: Walk, cursor: str = "") -> None:
        """Look; a walk through all names begins after `cursor`, where an earlier one ended."""
        all_names = not way.folders and not way.begin
        for folder in self._down("", way.folders):
            last = self._list(folder + way.begin, deep=way.deep, cursor=cursor if all_names else "")
            self.found.cursor = last if all_names else ""

    def _down(self, folder: str, left: tuple[str, ...]) -> Iterator[str]:
        if not left:
            yield folder
        elif left[0] != "*":
            yield from self._down(f"{folder}{left[0]}/", left[1:])
        else:
            for below in sorted(self._below(folder), reverse=True):
                if self._folders <= 0:
                    self.found.gaps.append((below, below + END))
                    continue
                self._folders -= 1
                yield from self._down(below, left[1:])

    def _below(self, folder: str) -> list[str]:
        """The folders in a folder."""
        found: list[str] = []
        ask: dict[str, Any] = {"Prefix": self._prefix + folder, "Delimiter": "/"}
        for _ in range(PAGES):
            page = self._ask("list_objects_v2", ask)
            if page is None:
                self.found.gaps.append((folder, folder + END))
                return []
            found += [one["Prefix"].removeprefix(self._prefix) for one in page.get("CommonPrefixes") or ()]
            if not page.get("IsTruncated") or not page.get("NextContinuationToken"):
                return found
            ask["ContinuationToken"] = page["NextContinuationToken"]
        self.found.gaps.append((max(found, default=folder) + END, folder + END))
        return found

    def _list(self, begin: str, *, deep: bool, cursor: str) -> str:
        """Gives the name where it had to end; empty where that was the last."""
        ask: dict[str, Any] = {"Prefix": self._prefix + begin, **({} if deep else {"Delimiter": "/"})}
        if cursor:
            self.found.gaps.append(("", cursor))
            ask |= {"KeyMarker" if self.found.versions else "StartAfter": self._prefix + cursor}
        last = cursor
        for _ in range(PAGES):
            page = self._page(ask)
            if page is None:
                self.found.gaps.append((last, begin + END))
                return ""
            last = self._take(page) or last
            if not self._next(page, ask):
                return ""
        self.found.gaps.append((last, begin + END))
        return last

    def _page(self, ask: dict[str, Any]) -> Page | None:
        """With versions where that is allowed, from the first page on; else without."""
        if self.found.versions:
            page = self._ask("list_object_versions", ask)
            if page is not None:
                return page
            self.found.versions = False
            if "KeyMarker" in ask:
                ask["StartAfter"] = ask.pop("KeyMarker")
                ask.pop("VersionIdMarker", None)
        return self._ask("list_objects_v2", ask)

    def _next(self, page: Page, ask: dict[str, Any]) -> bool:
        if not page.get("IsTruncated"):
            return False
        names = (
            (("KeyMarker", "NextKeyMarker"), ("VersionIdMarker", "NextVersionIdMarker"))
            if self.found.versions
            else (("ContinuationToken", "NextContinuationToken"),)
        )
        before = [ask.get(name) for name, _ in names]
        ask |= {name: page[theirs] for name, theirs in names if page.get(theirs)}
        return [ask.get(name) for name, _ in names] != before

    def _take(self, page: Page) -> str:
        """Take over what matters; gives the last name of the page."""
        last = ""
        for item in page.get("DeleteMarkers") or ():
            name = item["Key"].removeprefix(self._prefix)
            last = max(last, name)
            if self._keep(name):
                self.found.all_markers += 1
                if item.get("IsLatest"):
                    self.found.markers[name] = Marker(name, item["LastModified"].timestamp(), None)
        for item in page.get("Versions" if self.found.versions else "Contents") or ():
            name = item["Key"].removeprefix(self._prefix)
            last = max(last, name)
            if self._keep(name):
                self._version(name, item)
        return last

    def _version(self, name: str, item: Mapping[str, Any]) -> None:
        at = item["LastModified"].timestamp()
        if not self.found.versions or item.get("IsLatest"):
            self.found.current[name] = Seen(name, int(item["Size"]), str(item.get("ETag", "")).strip('"'), at)
            return
        hidden = self.found.markers.get(name)
        if hidden is not None and (hidden.made is None or hidden.made < at):
            self.found.markers[name] = Marker(name, hidden.at, at)
