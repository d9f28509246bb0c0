#!/usr/bin/env python3
"""Measures how well familiarity tells known images from others, with the programs of target/debug.

    scripts/familiarity.py DATA [--also NAME=FOLDER ...]

DATA contains orl-faces, omniglot-small2, things and boards. The script prints three tables:

1. Identities that a description has not seen: each model is calibrated on some identities of its collection, and the
   others are embedded. A share of them is flagged.
2. Other collections, sent to the shipped models: flagged, or refused because no face is found.
3. Streams: after how many images of another collection the evidence reaches the alarm, and how often it does so for
   images like those of the calibration, in random order and in runs of one identity.
"""

import argparse
import json
import pathlib
import random
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "target/debug"
MADE = ROOT / "target/familiarity"
UNFAMILIAR = 0.02
BET = 0.5
ALARM = 24 * 60 * 60 * 10 * 2
ALPHABETS = ("Japanese_(katakana)", "Sanskrit", "Tagalog")


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode not in (0, 2):
        raise SystemExit(f"{command}: {done.stderr}")
    return done.stdout


def embed(model, files, name):
    """The familiarity of each image by path; None if the model refuses the image."""
    out = MADE / f"{name}.jsonl"
    run(PROGRAMS / "siamese", "embed", "--model", model, "--out", out, *files)
    found = {}
    for line in out.read_text().splitlines():
        result = json.loads(line)
        found[result["path"]] = result.get("familiarity")
    return {str(file): found.get(str(file)) for file in files}


def images(folder, limit=None):
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".png", ".pgm", ".gif"))
    if limit and limit < len(files):
        files = [files[at * len(files) // limit] for at in range(limit)]
    return files


def tolerated(model):
    shown = json.loads(run(PROGRAMS / "siamese", "inspect", "--json", model))
    return shown["familiarity"]["tolerated_mean"]


def delay(values, mean):
    """The number of images until the alarm; None if there is none."""
    evidence = 0.0
    for count, value in enumerate(values, 1):
        evidence = (1 + evidence) * (1 + BET * (mean - value))
        if ALARM <= evidence:
            return count
    return None


def alarms(values, mean):
    """The number of alarms, with a new start after each."""
    evidence, count = 0.0, 0
    for value in values:
        evidence = (1 + evidence) * (1 + BET * (mean - value))
        if ALARM <= evidence:
            evidence, count = 0.0, count + 1
    return count


def share(values):
    return f"{100 * sum(value < UNFAMILIAR for value in values) / len(values):5.1f} %"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--also", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--limit", type=int, default=400, help="most images of another collection")
    parser.add_argument("--models", default="orl,characters,faces", help="the models, of models/; or NAME=FILE for another file")
    parser.add_argument("--folds", type=int, default=4, help="how many folds of identities are measured")
    arguments = parser.parse_args()
    MADE.mkdir(parents=True, exist_ok=True)
    data = arguments.data
    people = sorted((data / "orl-faces").iterdir(), key=lambda folder: int(folder.name[1:]))
    characters = [c for a in ALPHABETS for c in sorted((data / "omniglot-small2" / a).iterdir())]
    classes = sorted(path for path in (data / "things").iterdir() if path.is_dir())
    # The identities, and whether a description is made of each fourth of them or of the other three.
    domains = {
        "orl": ("orl-faces", people, True),
        "faces": ("orl-faces", people, False),
        "characters": ("omniglot-small2", characters, False),
        "things": ("things", classes, True),
    }
    collections = {
        "orl-faces": images(data / "orl-faces", arguments.limit),
        "characters": [f for folder in characters for f in images(folder)][:: max(1, 2120 // arguments.limit)],
        "things": images(data / "things", arguments.limit),
        "boards": [file for file in images(data / "boards") if file.stem.endswith("before")],
    }
    for name, folder in (entry.split("=", 1) for entry in arguments.also):
        collections[name] = images(pathlib.Path(folder), arguments.limit)

    for name in arguments.models.split(","):
        name, _, file = name.partition("=")
        model = pathlib.Path(file or ROOT / f"models/{name}.onnx")
        folder, identities, is_fourth = domains[name]
        unseen = {}
        for fold in range(arguments.folds):
            chosen = [at for at in range(len(identities)) if (at % 4 == fold) == is_fourth]
            names = MADE / "identities.txt"
            names.write_text("\n".join(str(identities[at].relative_to(data / folder)) for at in chosen))
            made = MADE / f"{name}-{fold}.onnx"
            run(
                PROGRAMS / "siamese-trainer", "calibrate", "--model", model, "--data", data / folder, "--identities",
                f"@{names}", "--resamples", 0, "--out", made,
            )
            others = [at for at in range(len(identities)) if at not in chosen]
            files = [file for at in others for file in images(identities[at])]
            by_file = embed(made, files, f"{name}-{fold}")
            by_identity = {}
            for file, value in by_file.items():
                if value is not None:
                    by_identity.setdefault(pathlib.Path(file).parent, []).append(value)
            values = [value for group in by_identity.values() for value in group]
            mean = tolerated(made)
            chance = random.Random(fold)
            in_any_order = alarms((chance.choice(values) for _ in range(4_000_000)), mean)
            groups = list(by_identity.values())

            def in_runs():
                for _ in range(4_000_000 // 10):
                    yield from chance.choices(chance.choice(groups), k=10)

            unseen[fold] = values
            print(
                f"{name:10} fold {fold}: described {len(chosen):3} identities, seen {len(values):4} images of "
                f"{len(groups):3} others: flagged {share(values)}, mean {statistics.mean(values):.3f}, tolerated "
                f"{mean:.3f}; alarms in 4 million images {in_any_order}, in runs of 10 images of one {alarms(in_runs(), mean)}",
                flush=True,
            )
        every = [value for values in unseen.values() for value in values]
        print(f"{name:10} all folds: flagged {share(every)}, mean {statistics.mean(every):.3f}", flush=True)
        mean = tolerated(model)
        for other, files in collections.items():
            if other == folder or (name == "characters" and other == "characters"):
                continue
            by_file = embed(model, files, f"{name}-{other}")
            values = [value for value in by_file.values() if value is not None]
            refused = len(by_file) - len(values)
            flagged = sum(value < UNFAMILIAR for value in values)
            line = f"{name:10} <- {other:12} {len(by_file):4} images: refused {refused:4}, flagged {flagged:4}, silent "
            line += f"{100 * (len(values) - flagged) / len(by_file):5.1f} %"
            if values:
                chance = random.Random(0)
                delays = [delay(chance.choices(values, k=1000), mean) for _ in range(20)]
                noticed = [value for value in delays if value]
                line += f"; mean {statistics.mean(values):.3f}; noticed in {len(noticed)} of 20 streams"
                if noticed:
                    line += f", after {statistics.median(noticed):.0f} images (median), {max(noticed)} (most)"
            print(line, flush=True)


if __name__ == "__main__":
    main()
