"""Serves a classifier that notebook 5 has exported, over HTTP.

    pip install fastapi uvicorn onnxruntime tokenizers
    python scripts/serve.py artifacts/sample/classifier 8000
    curl localhost:8000/classify --json '{"sentences": ["A film to remember."]}'

Answers each sentence with its label and the label's probability. What is asked wrongly is
answered with status 400 and a sentence. SIGTERM ends it when all requests are answered.
"""

import sys
from typing import Annotated

import fastapi
import pydantic
import uvicorn
from classify import Classifier
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

SENTENCES, CHARACTERS, BYTES = 64, 2000, 500_000  # the most in a request
Sentence = Annotated[str, pydantic.Field(max_length=CHARACTERS)]


class Request(pydantic.BaseModel):
    sentences: list[Sentence] = pydantic.Field(min_length=1, max_length=SENTENCES)


app = fastapi.FastAPI(title="A classifier of sentences")


@app.exception_handler(RequestValidationError)
def refuse(request, error):
    """Says in a sentence what is wrong."""
    first = error.errors()[0]
    detail = f"{'.'.join(map(str, first['loc']))}: {first['msg']}."
    return JSONResponse({"detail": detail}, status_code=400)


@app.middleware("http")
async def limit(request, answer):
    """Refuses a body that is too long, or doesn't say how long it is, before reading it."""
    length = request.headers.get("content-length", "0" if request.method == "GET" else "")
    if not length.isdecimal() or int(length) > BYTES:
        detail = f"Give a body of at most {BYTES} bytes, and its length."
        return JSONResponse({"detail": detail}, status_code=400)
    return await answer(request)


@app.post("/classify")
def classify(request: Request):
    """The sentences of a request are computed together, in a thread of its own."""
    classes, rows = app.state.classifier.classes, app.state.classifier(request.sentences)
    return [{"label": classes[r.argmax()], "probability": float(r.max())} for r in rows]


if __name__ == "__main__":
    try:
        app.state.classifier = Classifier(sys.argv[1])
    except (ValueError, IndexError) as error:
        sys.exit(f"{error}: give the folder of a classifier.")
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8000
    uvicorn.run(app, port=port, log_level="warning")
