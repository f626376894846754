"""Shows the first page: what an encoder guesses while it learns, and any sentence.

    python3 scripts/demo.py          # and opens it in a browser
    python3 scripts/demo.py 8000     # at this port, without opening it

Needs nothing but Python. To run the encoder in the browser, the page takes onnxruntime-web
from book/node_modules, where `make demo` installs it with npm.
"""

import argparse
import functools
import http.server
import os
import pathlib
import sys
import webbrowser

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "helpers" / "page"
RUNTIME = REPOSITORY / "book" / "node_modules" / "onnxruntime-web" / "dist"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the page, and the runtime as its folder `ort`."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def translate_path(self, path):
        if path.startswith("/ort/"):
            return str(RUNTIME / pathlib.PurePosixPath(path.split("?")[0]).name)
        return super().translate_path(path)

    def log_message(self, *arguments):
        pass


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("port", nargs="?", type=int, help="by default one that is free")
    asked = parser.parse_args()
    handler = functools.partial(Handler, directory=PAGE)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", asked.port or 0), handler)
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) else error
        sys.exit(f"Port {asked.port} can't be used ({reason}): give another one.")
    address = f"http://127.0.0.1:{server.server_port}/"
    print(f"{address} (Ctrl-C ends it)", flush=True)
    if not RUNTIME.is_dir():
        print("Without npm, the page shows its thirty sentences, but can't take yours.")
    if asked.port is None:
        webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main()
