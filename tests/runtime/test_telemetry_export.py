import asyncio
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread


async def test_an_endpoint_receives_spans_and_metrics_over_otlp() -> None:
    paths: list[str] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        # The inherited signature names a format that nobody reads here.
        def log_message(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as above
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=server.serve_forever)
    thread.start()
    program = f"""
from pointsman.runtime.settings import ServiceSettings
from pointsman.runtime.telemetry import MessagingTelemetry
from pointsman.runtime.telemetry_export import setup_telemetry

flush = setup_telemetry("t", ServiceSettings(otlp_endpoint="http://127.0.0.1:{server.server_port}"))
with MessagingTelemetry().operation("publish", "pm.feed"):
    pass
flush()
"""

    status = await _run(program)
    server.shutdown()
    thread.join()
    server.server_close()

    assert status == 0
    assert set(paths) == {"/v1/traces", "/v1/metrics"}


async def test_without_a_destination_the_sdk_is_not_even_loaded() -> None:
    program = """
import sys
from pointsman.runtime.settings import ServiceSettings
from pointsman.runtime.service import run_service
from pointsman.runtime.telemetry_export import setup_telemetry

setup_telemetry("t", ServiceSettings())()
sys.exit(any(name.startswith("opentelemetry.sdk") for name in sys.modules))
"""

    assert await _run(program) == 0


async def _run(program: str) -> int:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    return await process.wait()
