"""The documents of a loaded lmms-eval task as questions of ours, in its own order.

Every document is asked for its messages at load, because their content is the run's data
fingerprint. Images that exist in memory only are written for the items of a run alone, so that
``--limit 8`` of a large task writes eight, and scoring stored texts none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UnavailableTaskError
from harness.schema import Kind, Prompt, Sample
from tasks.lmms.loading import task_boundary
from tasks.lmms.messages import Question, read_messages, write_images

_FILE = "questions.jsonl"
_NAMED_PARTS = 3


class Documents:
    """The questions of one task; images and the file of questions go to `folder`."""

    def __init__(self, name: str, task: Any, folder: Path) -> None:
        self._name = name
        self._task = task
        self._folder = folder
        self.prompts: dict[str, Prompt] = {}
        """By sample id."""
        self.samples = tuple(self._sample(*numbered) for numbered in enumerate(task.eval_docs))

    def prepare(self, samples: Sequence[Sample]) -> None:
        """Write the images of these samples that are no files; all other media have to be there.

        Raises:
            UnavailableTaskError: Media are missing.
        """
        with task_boundary(self._name):
            for sample in samples:
                if not all(path.exists() for path in self._images(sample)):
                    write_images(self._messages(index_of(sample.id)), self._folder)
            self._check_media(samples)

    def write(self) -> Path:
        """Write what is asked, one line per document; its content is the fingerprint."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / _FILE
        beside = path.with_suffix(".part")
        beside.write_text("".join(map(self._line, self.samples)), encoding="utf-8")
        beside.replace(path)
        return path

    def _sample(self, index: int, document: Mapping[str, Any]) -> Sample:
        question = read_messages(self._task.doc_to_messages(document), self._folder)
        answer = str(self._task.doc_to_target(document))
        sample = sample_of(self._name, index, question, answer=answer)
        self.prompts[sample.id] = question.prompt
        return sample

    def _messages(self, index: int) -> Sequence[Mapping[str, Any]]:
        messages: Sequence[Mapping[str, Any]] = self._task.doc_to_messages(
            self._task.eval_docs[index]
        )
        return messages

    def _images(self, sample: Sample) -> list[Path]:
        """Return the media that are ours to write."""
        return [media.path for media in sample.media if media.path.parent == self._folder]

    def _check_media(self, samples: Sequence[Sample]) -> None:
        paths = dict.fromkeys(media.path for sample in samples for media in sample.media)
        missing = [path for path in paths if not path.exists()]
        if missing:
            raise UnavailableTaskError(
                f"{len(missing)} of {len(paths)} media files are missing, first: {missing[0]}"
            )

    def _line(self, sample: Sample) -> str:
        prompt = self.prompts[sample.id]
        asked = {
            "id": sample.id,
            "system": prompt.system,
            "before": prompt.before,
            "text": prompt.text,
            "media": [_place(media.path) for media in sample.media],
            "target": sample.answer,
        }
        return json.dumps(asked) + "\n"


def sample_of(name: str, index: int, question: Question, *, answer: str) -> Sample:
    """Return a document as a sample; questions about one video or image are not independent."""
    sample_id = f"lmms:{name}/{index}"
    return Sample(
        id=sample_id,
        task=f"lmms:{name}",
        question="".join((*question.prompt.before, question.prompt.text)),
        answer=answer,
        kind=Kind.FREE_FORM,
        category=name,
        cluster=_place(question.media[0].path) if question.media else sample_id,
        media=question.media,
    )


def index_of(sample_id: str) -> int:
    """Return the document's position in its data set."""
    return int(sample_id.rpartition("/")[2])


def _place(path: Path) -> str:
    """Name a file by its last folders: what is above them differs from machine to machine."""
    return "/".join(path.parts[-_NAMED_PARTS:])
