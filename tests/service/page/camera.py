"""A network camera that a test can stop: MJPEG over HTTP, as many real ones speak it."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from tests.service.helpers import picture

_PERIOD_S = 0.1


class MjpegCamera:
    """Sends pictures of noise, ten a second, while `playing` is set; else it holds the connection and says nothing."""

    def __init__(self) -> None:
        self.playing = threading.Event()
        self.playing.set()
        self._ended = False
        jpegs = [picture(kind="JPEG", seed=seed) for seed in range(10)]
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                number = 0
                while not camera._ended:
                    camera.playing.wait(1.0)
                    if camera.playing.is_set():
                        jpeg, number = jpegs[number % len(jpegs)], number + 1
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                        try:
                            self.wfile.write(head.encode() + jpeg + b"\r\n")
                        except OSError:
                            return
                        time.sleep(_PERIOD_S)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}/stream"

    def __enter__(self) -> MjpegCamera:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended = True
        self._server.shutdown()
        self._server.server_close()
