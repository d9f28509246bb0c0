"""A request that is small to send and takes long to answer."""

import asyncio
import struct
import zlib

BOUNDARY = "between-the-images"
# As many as a request may have. Each is decoded: 4 megapixels in 700 bytes.
IMAGES = 64
SIDE = 2048
# Longer than HAProxy waits for a replica.
PATIENCE = 30.0


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def image(number: int) -> bytes:
    """A black PNG of one bit a pixel; its text makes it another than the rest, as equal ones are decoded once."""
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((1 + SIDE // 8) * SIDE), 9)
    text = b"Comment\0%d" % number
    parts = [(b"IHDR", header), (b"tEXt", text), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*it) for it in parts)


def stalling(host: str) -> bytes:
    """A request to /embed, small enough that HAProxy could send it to one replica after the other."""
    disposition = 'content-disposition: form-data; name="image"'
    parts = [f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + image(it) + b"\r\n" for it in range(IMAGES)]
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    head = (
        f"POST /embed HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {len(body)}\r\n"
        f"content-type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    )
    request = head.encode() + body
    assert len(request) < 65536 - 1024, "the request does not fit HAProxy's buffer"
    return request


async def ask(host: str, port: int, request: bytes) -> int:
    """The status that a request over a connection of its own is answered by."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n"), PATIENCE)
    finally:
        writer.close()
    return int(head[9:12])
