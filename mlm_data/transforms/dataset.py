"""The whole stream as one transform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import apache_beam as beam

from mlm_data.config import Settings
from mlm_data.corpora import InputFile, cut_files
from mlm_data.records import Rejection
from mlm_data.transforms.build import BuildShards, BuiltBucket
from mlm_data.transforms.engine_shuffle import EngineShuffle
from mlm_data.transforms.file_shuffle import FileShuffle, plan_tasks
from mlm_data.transforms.finish import FinishDataset, WriteRejections
from mlm_data.transforms.shuffled import Shuffled
from mlm_data.vocabulary import Vocabulary


@dataclass(eq=False)  # Beam writes notes of its own into transforms
class MakePretrainingData(beam.PTransform):
    """Input files to a finished dataset in the output directory; gives the path of its manifest.

    Attributes:
        files: what to read.
        settings: of the run.
        vocabulary: of the run.
        tokens_dir: where prepared tokens are shuffled through files; empty for the engine's own shuffle. The bytes of
            the dataset are the same either way.
        range_bytes: large files are read in ranges of this size, see `cut_files`; it decides no byte either.
    """

    files: Sequence[InputFile]
    settings: Settings
    vocabulary: Vocabulary
    tokens_dir: str
    range_bytes: int | None = None

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection[str]:
        """See `beam.PTransform`."""
        settings, vocabulary = self.settings, self.vocabulary
        shuffled = self._shuffle(pipeline)
        built = shuffled.buckets | "Build" >> BuildShards(settings, vocabulary, shuffled.plan)
        late = built | "List rejections" >> beam.FlatMap(list_rejections).with_output_types(Rejection)
        counts = (
            (shuffled.rejections, late)
            | "Join rejections" >> beam.Flatten()
            | "Keep rejections" >> WriteRejections(settings.shards.output_dir)
        )
        return built | "Finish" >> FinishDataset(settings, vocabulary, counts)

    def _shuffle(self, pipeline: beam.Pipeline) -> Shuffled:
        ranges = cut_files(self.files, self.range_bytes)
        # The largest first, so that no worker is left alone with one at the end.
        if self.tokens_dir:
            tasks = sorted(plan_tasks(ranges), key=lambda task: (-task.size, task.name))
            shuffle = FileShuffle(self.settings, self.vocabulary, self.tokens_dir)
            return pipeline | "List tasks" >> beam.Create(tasks) | "Shuffle" >> shuffle
        ranges = sorted(ranges, key=lambda part: (-part.size, part.source))
        return (
            pipeline | "List ranges" >> beam.Create(ranges) | "Shuffle" >> EngineShuffle(self.settings, self.vocabulary)
        )


def list_rejections(built: BuiltBucket) -> tuple[Rejection, ...]:
    """What was rejected while shards were built."""
    return built.rejections
