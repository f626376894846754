r"""Serves the classifier exported in notebook 6 over HTTP, to this machine only.

    pip install fastapi uvicorn onnxruntime tokenizers
    python scripts/serve.py artifacts/sample/classifier 8000
    curl localhost:8000/classify -H 'Content-Type: application/json' \
        -d '{"sentences": ["A film to remember."]}'

Opened in a browser, the address that it prints shows a page to paste sentences into.

Returns for each sentence the label, its probability, and whether the sentence was truncated
because it has more word pieces than the model reads; also the probabilities of all classes,
and the word pieces that were read. A request has up to 64 sentences of up to 2,000
characters; /docs describes it. Invalid requests get an explanation, with status 400, 408 if
the body doesn't arrive within 5 seconds, 411 without its length, 413 if it is too large. Of
web pages, only those that come from this machine may ask. On SIGTERM the server finishes
its requests and exits, after 8 seconds at the latest.
"""

import signal

if __name__ == "__main__":
    # After Ctrl-C, and after the last answers, the program ends as others do.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import asyncio
import base64
import hashlib
import os
import pathlib
import socket
import sys

import fastapi
import pydantic
import uvicorn
from classify import Answer, Classifier, add_model
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.requests import ClientDisconnect

# The limits of a request. Of a character, JSON may make two escapes, `\ud83d\ude00`.
SENTENCES, CHARACTERS = 64, 2000
BYTES = SENTENCES * (12 * CHARACTERS + 100)
# Within the 10 seconds that Docker waits before it kills a process.
BODY_SECONDS, SHUTDOWN_SECONDS = 5, 8
LOCAL_PAGES = r"https?://(localhost|127\.0\.0\.1)(:\d+)?"
PAGE = pathlib.Path(__file__).with_name("page.html")

Sentence = pydantic.constr(max_length=CHARACTERS)


class Request(pydantic.BaseModel):
    sentences: pydantic.conlist(Sentence, min_length=1, max_length=SENTENCES)


app = fastapi.FastAPI(title="A classifier of sentences")


def refusal(status, detail, **headers):
    return JSONResponse({"detail": detail}, status, headers)


@app.exception_handler(RequestValidationError)
def refuse(request, error):
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return refusal(400, f"{place}: {first['msg']}.")


@app.middleware("http")
async def limit(request, call_next):
    """Rejects a body that is too long, of unknown length, or too slow. It is read here."""
    length = request.headers.get("content-length")
    if "transfer-encoding" in request.headers or (request.method == "POST" and not length):
        return refusal(411, "Send the length of the body, `Content-Length`.")
    if length and int(length) > BYTES:
        return refusal(413, f"Send a body of at most {BYTES} bytes.")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            await request.body()
    except TimeoutError:
        detail = f"Send the body within {BODY_SECONDS} seconds."
        return refusal(408, detail, Connection="close")
    except ClientDisconnect:
        return refusal(400, "The body is incomplete.")  # nobody reads it
    return await call_next(request)


# Added last, so that the answers of `limit` are for pages, too.
app.add_middleware(CORSMiddleware, allow_origin_regex=LOCAL_PAGES, allow_methods=["POST"])


@app.post("/classify")
def classify(request: Request) -> list[Answer]:
    """Classifies the sentences of a request, in a thread."""
    return [app.state.classifier.answer(sentence) for sentence in request.sentences]


@app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
def show_page():
    """The page on which people type or paste sentences."""
    headers = {"Content-Security-Policy": app.state.policy}
    return HTMLResponse(app.state.page, headers=headers)


def policy_for(page):
    """The Content-Security-Policy that allows a page its own style and script, its empty
    icon, and requests to this server."""
    rules = ["default-src 'none'", "connect-src 'self'", "img-src data:"]
    rules += ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]
    for name in "style", "script":
        content = page.partition(f"<{name}>")[2].partition(f"</{name}>")[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        rules.append(f"{name}-src 'sha256-{digest}'")
    return "; ".join(rules)


def port_number(text):
    """A port, from the command line."""
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("give a number from 1 to 65535, or 0 for any")
    return int(text)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", help="the folder `classifier` that notebook 6 leaves")
    parser.add_argument(
        "port", type=port_number, help="the port to listen on; 0 takes one that is free"
    )
    add_model(parser)
    arguments = parser.parse_args()
    if not PAGE.exists():
        sys.exit(f"There is no {PAGE}: copy it along with this program.")
    app.state.page = PAGE.read_text("utf-8")
    app.state.policy = policy_for(app.state.page)
    try:
        app.state.classifier = Classifier(arguments.folder, arguments.model)
        listener = socket.create_server(("127.0.0.1", arguments.port))
    except ValueError as error:
        sys.exit(str(error))
    except OSError as error:
        reason = os.strerror(error.errno)
        sys.exit(f"Port {arguments.port} can't be used ({reason}): give another one.")
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
    # The protocol that uvicorn always has, whatever else is installed.
    config = uvicorn.Config(
        app,
        http="h11",
        log_level="warning",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
