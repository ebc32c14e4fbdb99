"""The supported image formats, and how their first bytes tell them."""

import struct

RAW_FORMATS = ("CR2", "CR3", "NEF", "ARW", "DNG", "RAF", "ORF", "RW2", "RAW")
"""Raw files of cameras; RAW is that of another maker which LibRaw reads."""

FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "TIFF",
    "BMP",
    "DIB",
    "HEIF",
    "AVIF",
    "JXL",
    "JPEG2000",
    "JPEGLS",
    *RAW_FORMATS,
)
"""Names of the supported formats, Pillow's where it has one. No others: each is C code that untrusted files reach."""

NAMES = "JPEG, PNG, WebP, GIF, TIFF, BMP, HEIC, AVIF, JPEG XL, JPEG 2000, JPEG-LS, camera raw"
"""The same for people."""

EXTENSIONS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".mpo": "JPEG",  # with further pictures after the first, by cameras with two lenses
    ".png": "PNG",
    ".apng": "PNG",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".dib": "DIB",
    ".heic": "HEIF",
    ".heics": "HEIF",
    ".heif": "HEIF",
    ".heifs": "HEIF",
    ".hif": "HEIF",
    ".avif": "AVIF",
    ".avifs": "AVIF",
    ".jxl": "JXL",
    ".jp2": "JPEG2000",
    ".j2k": "JPEG2000",
    ".j2c": "JPEG2000",
    ".jpc": "JPEG2000",
    ".jpf": "JPEG2000",
    ".jpx": "JPEG2000",
    ".jls": "JPEGLS",
    **{f".{name.lower()}": name for name in RAW_FORMATS},
    ".pef": "RAW",
    ".srw": "RAW",
}
"""File name extensions; the first of each format is the usual one. A photo in the inbox is told by its bytes alone."""

DEFAULT_MAX_PIXELS = 178_956_970
"""Pillow's limit against decompression bombs: 256 MiB at 24 bits per pixel, doubled as where Pillow raises."""

DEFAULT_MAX_BYTES = 2 << 30
"""Far above any photo, and little enough to be read in a minute or two."""

IDENTIFYING_BYTES = 512
"""Length of the beginning of a file that `identify` looks at."""

HEAD_BYTES = 64 * 1024
"""Length of the beginning of a file that `heif_pixels` looks at."""

_MAGIC = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (8, b"WEBP", "WEBP"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "JXL"),
    (0, b"\xff\x0a", "JXL"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG2000"),
    (4, b"ftypcrx ", "CR3"),
    (0, b"FUJIFILMCCD-RAW ", "RAF"),
    (0, b"IIRO", "ORF"),
    (0, b"IIRS", "ORF"),
    (0, b"MMOR", "ORF"),
    (0, b"IIU\0", "RW2"),
)
# ISO/IEC 23000-22 and 23008-12: the brands of pictures, and those that say nothing about the codec.
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_CONTAINER_BRANDS = {b"mif1", b"mif2", b"msf1", b"miaf"}


def is_image(head: bytes) -> bool:
    """Whether the first bytes of a file, 18 or more, are those of an image in a supported format."""
    return identify(head) is not None


def identify(head: bytes) -> str | None:
    """Returns the format that the first bytes of a file tell, DIB as BMP; None for no supported one."""
    for offset, magic, name in _MAGIC:
        if head[offset:].startswith(magic):
            return name
    if head[4:8] == b"ftyp":
        return _identify_heif(head)
    return "BMP" if _is_bmp(head) else None


def _identify_heif(head: bytes) -> str | None:
    """Tells AVIF and HEIF, which share a container (ISO/IEC 14496-12 § 4.3, `ftyp`), by all brands of a file."""
    end = min(struct.unpack_from(">I", head)[0], len(head))
    major, brands = head[8:12], {head[at : at + 4] for at in (8, *range(16, end, 4))}
    if major not in _AVIF_BRANDS | _HEIF_BRANDS | _CONTAINER_BRANDS:
        return None
    if major in _HEIF_BRANDS or not brands & _AVIF_BRANDS:
        return "HEIF"
    return "AVIF"


def _is_bmp(head: bytes) -> bool:
    # Two letters are too weak a signature, so the size of the next header must be a known one too.
    return (
        head[:2] == b"BM"
        and len(head) >= 18
        and struct.unpack_from("<I", head, 14)[0] in {12, 40, 52, 56, 64, 108, 124}
    )


def heif_pixels(head: bytes) -> int:
    """Returns the pixels of the largest `ispe` box (ISO/IEC 23008-12 § 6.5.3) of a HEIF or AVIF header, else 0."""
    largest = 0
    offset = head.find(b"ispe") if identify(head) in {"HEIF", "AVIF"} else -1
    while offset >= 0 and offset + 16 <= len(head):
        width, height = struct.unpack_from(">II", head, offset + 8)
        largest = max(largest, width * height)
        offset = head.find(b"ispe", offset + 4)
    return largest
