"""Makes presets of what a pretraining has left: encoder, head and tokenizer, in float16.

    python scripts/share.py evening encoders/evening
    python scripts/share.py evening encoders/evening-1000 --step 1000

A step is one that `scripts/pretrain.py --keep` has printed; without it, the preset has the
last weights, and the history of the training if `scripts/pretrain.py` has left it.
`keras_hub.models.MaskedLM.from_preset` loads a preset, with `dtype="float32"`, once
`helpers.kerashub` is imported.
"""

import argparse
import json
import pathlib

from pretrain import json_object

import helpers
from helpers import profiles


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("profile", choices=profiles.PROFILES)
    parser.add_argument("folder", type=pathlib.Path, help="where the preset goes")
    parser.add_argument(
        "--settings", default={}, type=json_object, help="that differ, as a JSON object"
    )
    parser.add_argument("--step", type=int, help="the step after which weights were kept")
    asked = parser.parse_args()
    try:
        profile = profiles.load_profile(asked.profile, **asked.settings)
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    helpers.choose_backend("jax")

    import numpy as np

    from helpers import kerashub, models, presets, records, wordpieces

    name = "pretraining.weights.h5"
    if asked.step:
        name = f"pretraining-{asked.step}.weights.h5"
    path = records.path(profile, name)
    if not path.exists():
        parser.error(f"there is no {path.name} in {path.parent}: pretrain first")
    vocabulary = wordpieces.read_vocabulary(records.path(profile, "vocabulary.txt"))
    tokenizer = kerashub.Tokenizer(
        vocabulary,
        lowercase=profile.lowercase,
        strip_accents=profile.strip_accents,
        sequence_length=profile.sequence_length,
    )
    encoder = models.build_encoder(profile)
    trained = kerashub.MaskedLM(encoder, compile=False)
    trained.load_weights(path)
    half = models.Encoder.from_config(encoder.get_config() | {"dtype": "float16"})
    shared = kerashub.MaskedLM(half, kerashub.Preprocessor(tokenizer), compile=False)
    shared.set_weights(trained.get_weights())
    shared.save_to_preset(asked.folder)
    checkpoint = records.path(profile, "pretraining.npz")
    is_last = asked.step in (None, profile.pretraining_steps)
    if is_last and checkpoint.exists():
        # With it, notebook 3 takes the encoder as trained (`presets.take_encoder`).
        with np.load(checkpoint) as file:
            saved = json.loads(str(file["saved"]))
        saved["settings"] = presets.pretraining_settings(profile)
        (asked.folder / "training.json").write_text(json.dumps(saved) + "\n", "utf-8")
    steps = asked.step or profile.pretraining_steps
    settings = json.dumps(profiles.settings(profile), indent=1)
    (asked.folder / "README.md").write_text(
        f"# An encoder after {steps:,} steps of the profile `{profile.name}`\n\n"
        f"Pretrained on `{profile.corpus}` (masked words), and saved in float16 by "
        "`scripts/share.py`. It knows the language and the topics of this text only, which "
        "has terms of its own.\n\n"
        f"Its settings:\n\n```json\n{settings}\n```\n",
        "utf-8",
    )


if __name__ == "__main__":
    main()
