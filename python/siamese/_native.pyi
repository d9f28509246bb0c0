import os

class Model:
    def __init__(self, path: str | os.PathLike[str], threads: int | None) -> None: ...
    @property
    def width(self) -> int: ...
    @property
    def shape(self) -> list[int]: ...
    @property
    def threads(self) -> int: ...
    def card(self) -> str: ...
    def embed(self, images: list[bytes | str | os.PathLike[str]], faces: str) -> tuple[bytearray, list[str | None]]: ...
    def preprocess(self, image: bytes | str | os.PathLike[str], faces: str) -> bytearray: ...
    def compare(
        self,
        a: bytes | str | os.PathLike[str],
        b: bytes | str | os.PathLike[str],
        threshold: float | None,
        fmr: float | None,
        faces: str,
    ) -> str: ...
    def changes(
        self,
        before: bytes | str | os.PathLike[str],
        after: bytes | str | os.PathLike[str],
        threshold: float | None,
        fmr: float | None,
        align: str,
        cell: float | None,
        ignored: list[list[float]],
    ) -> tuple[str, bytearray]: ...
