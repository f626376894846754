"""Serves the classifier exported in notebook 5 over HTTP.

    pip install fastapi uvicorn onnxruntime tokenizers
    python scripts/serve.py artifacts/sample/classifier 8000
    curl localhost:8000/classify --json '{"sentences": ["A film to remember."]}'

Returns the label and its probability for each sentence. Invalid requests get status 400 and
an explanation. On SIGTERM the server finishes its requests and exits.
"""

import sys

import fastapi
import pydantic
import uvicorn
from classify import Classifier
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

SENTENCES, CHARACTERS, BYTES = 64, 2000, 500_000  # limits of a request
Sentence = pydantic.constr(max_length=CHARACTERS)


class Request(pydantic.BaseModel):
    sentences: pydantic.conlist(Sentence, min_length=1, max_length=SENTENCES)


app = fastapi.FastAPI(title="A classifier of sentences")


@app.exception_handler(RequestValidationError)
def refuse(request, error):
    first = error.errors()[0]
    detail = f"{'.'.join(map(str, first['loc']))}: {first['msg']}."
    return JSONResponse({"detail": detail}, status_code=400)


@app.middleware("http")
async def limit(request, call_next):
    """Rejects a body that is too long, or of unknown length, before reading it."""
    length = request.headers.get("content-length", "0" if request.method == "GET" else "")
    if not length.isdecimal() or int(length) > BYTES:
        detail = f"Send a body of at most {BYTES} bytes, with its length."
        return JSONResponse({"detail": detail}, status_code=400)
    return await call_next(request)


@app.post("/classify")
def classify(request: Request):
    """Classifies all sentences of a request in one batch, in a thread."""
    classes, rows = app.state.classifier.classes, app.state.classifier(request.sentences)
    return [{"label": classes[r.argmax()], "probability": float(r.max())} for r in rows]


if __name__ == "__main__":
    try:
        app.state.classifier = Classifier(sys.argv[1], *sys.argv[3:])
        uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
    except (ValueError, IndexError) as error:
        sys.exit(f"{error}: give a classifier's folder, a port and perhaps a model.")
