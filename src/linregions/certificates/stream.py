"""Streams of records on disk: blocks, compressed and hashed in a thread of their own."""

from __future__ import annotations

import hashlib
import queue
import shutil
import struct
import threading
import zipfile
import zlib
from pathlib import Path

import numpy as np

LEVEL = 1  # of compression: what the search writes is nearly as fast as this packs it


class ProofStream:
    """A stream of blocks under way to a file; see `docs/proofs.md`.

    The file holds raw deflated bytes, as a member of a zip archive does. The search goes on while a
    block is packed: both leave Python's lock alone. An error of the disk comes with the next call.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "wb")  # noqa: SIM115 (closed by `close`)
        self._pack, self._digest = zlib.compressobj(LEVEL, wbits=-15), hashlib.sha256()
        self._blocks: queue.Queue[bytes | None] = queue.Queue(8)
        self._error: OSError | None = None
        self.size = self.crc = self.bytes = 0  # unpacked, its CRC-32; bytes of the file
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def take(self, ints: np.ndarray, reals: np.ndarray, text: str = "") -> None:
        """Append a block of whole records."""
        if self._error is not None:
            raise self._error
        head = struct.pack("<III", len(ints), len(reals), len(text))
        body = ints.astype("<i4").tobytes() + reals.astype("<f8").tobytes() + text.encode("ascii")
        self._blocks.put(head + body)

    def close(self) -> str:
        """Finish the file; the SHA-256 of what was written, before compression."""
        self._blocks.put(None)
        self._thread.join()
        self.bytes = self._file.tell()
        self._file.close()
        if self._error is not None:
            raise self._error
        return self._digest.hexdigest()

    def _write(self) -> None:
        try:
            while (block := self._blocks.get()) is not None:
                self._digest.update(block)
                self.size, self.crc = self.size + len(block), zlib.crc32(block, self.crc)
                self._file.write(self._pack.compress(block))
            self._file.write(self._pack.flush())
        except OSError as error:
            self._error = error
            while self._blocks.get() is not None:  # let the search get rid of its blocks
                pass


def embed(archive: zipfile.ZipFile, name: str, path: Path, size: int, crc: int) -> None:
    """Make the file of a `ProofStream` a member of an archive, without packing it again.

    `zipfile` has no call for this: the entry is written as its own ``write`` does.
    """
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.file_size, entry.CRC, entry.compress_size = size, crc, path.stat().st_size
    out = archive.fp
    assert out is not None
    out.seek(archive.start_dir)
    entry.header_offset = out.tell()
    out.write(entry.FileHeader(zip64=size >= 1 << 31))
    with open(path, "rb") as file:
        shutil.copyfileobj(file, out)
    archive.start_dir = out.tell()
    archive._didModify = True  # type: ignore[attr-defined]
    archive.filelist.append(entry)
    archive.NameToInfo[name] = entry
