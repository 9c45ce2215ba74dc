"""Turn the documents of a loaded lmms-eval task into samples, in lmms-eval's order.

The messages of every document are built at load, because their content is the run's data
fingerprint. Images that exist only in memory are written for the items of a run alone: a run with
``--limit 8`` writes eight, and scoring stored texts writes none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UnavailableTaskError
from harness.files import write_text
from harness.run.media_check import missing_media
from harness.schema import Kind, Prompt, Sample
from tasks.lmms.loading import task_boundary
from tasks.lmms.messages import Question, read_messages, write_images

_QUESTIONS_FILE = "questions.jsonl"
_SHORT_PATH_PARTS = 3


class Documents:
    """The samples of one task; images and the file of questions are written to `folder`."""

    def __init__(self, name: str, task: Any, folder: Path) -> None:
        self._name = name
        self._task = task
        self._folder = folder
        self.prompts: dict[str, Prompt] = {}
        """Prompts by sample id."""
        self.samples = tuple(self._make_sample(*numbered) for numbered in enumerate(task.eval_docs))

    def prepare(self, samples: Sequence[Sample]) -> None:
        """Write the images of these samples that have no file yet, and check that all media exist.

        Raises:
            UnavailableTaskError: Media are missing.
        """
        with task_boundary(self._name):
            for sample in samples:
                if not all(path.exists() for path in self._image_paths(sample)):
                    write_images(self._messages(index_of(sample.id)), self._folder)
            self._check_media(samples)

    def write(self) -> Path:
        """Write the questions, one JSON object per line; the file is the data fingerprint."""
        path = self._folder / _QUESTIONS_FILE
        write_text(path, "".join(map(self._format_question, self.samples)))
        return path

    def _make_sample(self, index: int, document: Mapping[str, Any]) -> Sample:
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

    def _image_paths(self, sample: Sample) -> list[Path]:
        """Return the paths of the images that this class writes."""
        return [media.path for media in sample.media if media.path.parent == self._folder]

    def _check_media(self, samples: Sequence[Sample]) -> None:
        missing = missing_media(samples)
        if missing:
            total = len({media.path for sample in samples for media in sample.media})
            raise UnavailableTaskError(
                f"{len(missing)} of {total} media files are missing, first: {missing[0]}"
            )

    def _format_question(self, sample: Sample) -> str:
        prompt = self.prompts[sample.id]
        asked = {
            "id": sample.id,
            "system": prompt.system,
            "before": prompt.before,
            "text": prompt.text,
            "media": [_short_path(media.path) for media in sample.media],
            "target": sample.answer,
        }
        return json.dumps(asked) + "\n"


def sample_of(name: str, index: int, question: Question, *, answer: str) -> Sample:
    """Return a document as a sample; questions about one video or image are one cluster."""
    sample_id = f"lmms:{name}/{index}"
    return Sample(
        id=sample_id,
        task=f"lmms:{name}",
        question="".join((*question.prompt.before, question.prompt.text)),
        answer=answer,
        kind=Kind.FREE_FORM,
        category=name,
        cluster=_short_path(question.media[0].path) if question.media else sample_id,
        media=question.media,
    )


def index_of(sample_id: str) -> int:
    """Return a sample's position in its data set."""
    return int(sample_id.rpartition("/")[2])


def _short_path(path: Path) -> str:
    """Return the last three parts of a path, since those above them differ between machines."""
    return "/".join(path.parts[-_SHORT_PATH_PARTS:])
