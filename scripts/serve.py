"""Serves a classifier that notebook 5 has exported, over HTTP.

    pip install fastapi uvicorn onnxruntime tokenizers
    python scripts/serve.py artifacts/sample/classifier 8000
    curl localhost:8000/classify --json '{"sentences": ["A film to remember."]}'

Answers each sentence with its label and the label's probability. What is asked wrongly is
answered with status 400 and a sentence. SIGTERM ends it when all requests are answered.
"""

import sys

import fastapi
import pydantic
import uvicorn
from classify import Classifier
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

SENTENCES, CHARACTERS, BYTES = 64, 2000, 500_000  # the most in a request
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
        uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
    except (ValueError, IndexError) as error:
        sys.exit(f"{error}: give the folder of a classifier, and a port.")
