"""Downloads, from a server of our own on this machine: what is wrong is not kept, what is right is kept once."""

import gzip
import hashlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from symgraph.datasets import DatasetError, __main__, fetch, load_mnist, mnist
from tests.datasets.files import PARTS, idx_bytes, small_arrays, write_npz

FILES = {f"{part}.gz": gzip.compress(idx_bytes(a), mtime=0) for part, a in zip(PARTS, small_arrays(), strict=True)}

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


def send(request: BaseHTTPRequestHandler, data: bytes, length: int | None = None) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(data) if length is None else length))
    request.end_headers()
    request.wfile.write(data)


def send_wrong(request: BaseHTTPRequestHandler, data: bytes) -> None:
    send(request, data[:-1] + bytes([data[-1] ^ 1]))


def send_short(request: BaseHTTPRequestHandler, data: bytes) -> None:
    send(request, data[:-20], length=len(data))


def send_without_end(request: BaseHTTPRequestHandler, data: bytes) -> None:
    request.send_response(200)
    request.end_headers()
    while True:  # until the client hangs up
        request.wfile.write(bytes(2**16))


def send_compressed_bomb(request: BaseHTTPRequestHandler, data: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Encoding", "gzip")
    request.end_headers()
    request.wfile.write(gzip.compress(bytes(2**26), 1))


def send_nothing(request: BaseHTTPRequestHandler, data: bytes) -> None:
    time.sleep(0.5)  # longer than the test's patience for silence


def trickle(request: BaseHTTPRequestHandler, data: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    for byte in data:
        request.wfile.write(bytes([byte]))
        request.wfile.flush()
        time.sleep(0.02)


def send_elsewhere(request: BaseHTTPRequestHandler, data: bytes) -> None:
    request.send_response(302)
    request.send_header("Location", Path(__file__).as_uri())
    request.end_headers()


BAD_ANSWERS: dict[str, tuple[Answer, str]] = {
    "missing": (lambda request, data: request.send_error(404), "404 Client Error"),
    "failing": (lambda request, data: request.send_error(503), "503 Server Error"),
    "wrong": (send_wrong, "does not match the known hash"),
    "short": (send_short, "IncompleteRead"),
    "endless": (send_without_end, "sends more bytes than the file has"),
    "bomb": (send_compressed_bomb, "sends more bytes than the file has"),
    "silent": (send_nothing, "timed out"),
    "trickling": (trickle, "not finished after 0 seconds"),
    "elsewhere": (send_elsewhere, "No connection adapters"),
}


class Handler(BaseHTTPRequestHandler):
    """Mirrors by name: ``/good/...`` sends the file, the others what `BAD_ANSWERS` says."""

    def do_GET(self) -> None:
        _, mirror, name = self.path.split("/")
        asked: list[str] = self.server.asked  # type: ignore[attr-defined]
        asked.append(f"{mirror}/{name}")
        answer = send if mirror == "good" else BAD_ANSWERS[mirror][0]
        try:
            answer(self, FILES[name])
        except ConnectionError:  # the client has had enough, as it should
            self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        sums = {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()}
        monkeypatch.setattr(fetch, "FILES", sums)
        monkeypatch.setenv("NO_PROXY", "*")
        yield server
        server.shutdown()
        thread.join()


def use_mirrors(monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer, *names: str) -> None:
    root = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(fetch, "MIRRORS", tuple(f"{root}/{name}/" for name in names))


def test_downloaded_once_into_the_cache(
    monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer, nowhere: Path
) -> None:
    use_mirrors(monkeypatch, server, "good")
    data = load_mnist(download=True, normalize=False)
    np.testing.assert_array_equal(data.test.x, small_arrays()[2].reshape(6, 16))
    assert data.origin == f"{nowhere} (IDX files)"
    assert {file.name: file.read_bytes() for file in nowhere.iterdir()} == FILES
    asked = server.asked  # type: ignore[attr-defined]
    assert asked == [f"good/{name}" for name in FILES]
    load_mnist(download=True)
    load_mnist()
    assert len(asked) == 4


def test_nothing_is_asked_for_unless_requested(
    monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer, nowhere: Path
) -> None:
    use_mirrors(monkeypatch, server, "good")
    assert load_mnist().name == "digits"
    assert not server.asked  # type: ignore[attr-defined]
    assert not nowhere.exists()


@pytest.mark.parametrize("bad", BAD_ANSWERS)
def test_a_bad_mirror_is_passed_over_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer, nowhere: Path, bad: str
) -> None:
    monkeypatch.setattr(fetch, "_SILENCE", 0.2 if bad == "silent" else 60)
    monkeypatch.setattr(fetch, "_CHUNK", 16)
    monkeypatch.setattr(fetch, "_PATIENCE", 0.1 if bad == "trickling" else 60)
    use_mirrors(monkeypatch, server, bad)
    with pytest.raises(DatasetError, match="could not be downloaded") as caught:
        load_mnist(download=True)
    message = str(caught.value)
    assert BAD_ANSWERS[bad][1] in message
    assert len(message.splitlines()) <= 12
    assert f"{nowhere}, or set SYMGRAPH_DATA" in message
    assert not list(nowhere.iterdir())

    use_mirrors(monkeypatch, server, bad, "good")
    assert len(load_mnist(download=True).test.y) == 6
    assert {file.name for file in nowhere.iterdir()} == set(FILES)
    asked = server.asked  # type: ignore[attr-defined]
    assert [path for path in asked if path.startswith(bad)] == [f"{bad}/{PARTS[0]}.gz"] * 2  # and not for each file


@pytest.mark.usefixtures("server")
def test_offline(monkeypatch: pytest.MonkeyPatch, nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(fetch, "MIRRORS", ("http://127.0.0.1:9/", "http://127.0.0.1:9/again/", "http://127.0.0.1:9/c/"))
    with pytest.raises(DatasetError, match=r"Is this machine offline\?") as caught:
        mnist.load_data(download=True)
    assert str(caught.value).count("http://127.0.0.1:9/") >= 3
    assert len(str(caught.value).splitlines()) <= 12
    assert not list(nowhere.iterdir())
    assert __main__.main(["--download"]) == 1
    assert "could not be downloaded" in capsys.readouterr().err


def test_damaged_and_missing_files_of_the_cache_are_fetched_again(
    monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer, nowhere: Path
) -> None:
    use_mirrors(monkeypatch, server, "good")
    load_mnist(download=True)
    names = list(FILES)
    (nowhere / names[0]).write_bytes(b"\x1f\x8b damaged")
    (nowhere / names[3]).unlink()
    with pytest.raises(DatasetError):
        load_mnist()
    load_mnist(download=True)
    assert server.asked == [f"good/{name}" for name in [*names, names[0], names[3]]]  # type: ignore[attr-defined]
    assert {file.name: file.read_bytes() for file in nowhere.iterdir()} == FILES


def test_data_that_are_there_are_not_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer
) -> None:
    use_mirrors(monkeypatch, server, "good")
    path = write_npz(tmp_path / "mnist.npz", small_arrays())
    assert load_mnist(path, download=True).origin == str(path)
    monkeypatch.setenv("SYMGRAPH_DATA", str(tmp_path))
    assert load_mnist(download=True).origin == str(path)
    assert not server.asked  # type: ignore[attr-defined]


def test_an_interrupted_download_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer, nowhere: Path
) -> None:
    def interrupt(*arguments: object) -> int:
        raise KeyboardInterrupt

    use_mirrors(monkeypatch, server, "good")
    monkeypatch.setattr(fetch._LimitedFile, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_mnist(download=True)
    assert not list(nowhere.iterdir())


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("package", ["pooch", "tqdm", "requests"])
def test_without_the_packages_that_download(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DatasetError, match="Downloading needs pooch and tqdm: pip install pooch tqdm"):
        load_mnist(download=True)


def test_a_cache_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer, nowhere: Path
) -> None:
    use_mirrors(monkeypatch, server, "good")
    nowhere.parent.joinpath("cache").write_text("a file where the folder should be")
    with pytest.raises(DatasetError, match="could not be downloaded"):
        load_mnist(download=True)


def test_the_published_sums_are_well_formed_and_the_mirrors_are_several_and_private() -> None:
    assert list(fetch.FILES) == [f"{part}.gz" for part in PARTS]
    assert all(len(bytes.fromhex(digest)) == 32 and size > 0 for size, digest in fetch.FILES.values())
    assert len({mirror.split("/")[2] for mirror in fetch.MIRRORS}) >= 3
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in fetch.MIRRORS)
