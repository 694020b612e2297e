"""The whole stream as one transform."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from mlm_data.config import Settings
from mlm_data.corpora import InputFile
from mlm_data.records import Rejection, TokenizedDocument
from mlm_data.transforms.build import BuildShards, BuiltBucket
from mlm_data.transforms.finish import FinishDataset, WriteRejections
from mlm_data.transforms.prepare import PrepareDocuments
from mlm_data.transforms.shuffle import MeasureCorpus, ShuffleByContent, plan_shards
from mlm_data.vocabulary import Vocabulary


@dataclass(eq=False)  # Beam writes notes of its own into transforms
class MakePretrainingData(beam.PTransform):
    """Input files to a finished dataset in the output directory; gives the path of its manifest."""

    settings: Settings
    vocabulary: Vocabulary

    def expand(self, files: beam.PCollection[InputFile]) -> beam.PCollection[str]:
        """See `beam.PTransform`."""
        settings, vocabulary = self.settings, self.vocabulary
        prepared = files | "Prepare" >> PrepareDocuments(
            settings.corpora, settings.sentences, settings.wordpiece, vocabulary
        )
        documents = prepared | "Pick documents" >> beam.Filter(is_document).with_output_types(TokenizedDocument)
        plan = (
            prepared
            | "Measure" >> beam.CombineGlobally(MeasureCorpus(settings.shards))
            | "Plan shards" >> beam.Map(plan_shards, settings.shards)
        )
        built = (
            documents
            | "Shuffle" >> ShuffleByContent(settings.shards, plan)
            | "Build" >> BuildShards(settings, vocabulary, plan)
        )
        early = prepared | "Pick rejections" >> beam.Filter(is_rejection).with_output_types(Rejection)
        late = built | "List rejections" >> beam.FlatMap(list_rejections).with_output_types(Rejection)
        counts = (
            (early, late)
            | "Join rejections" >> beam.Flatten()
            | "Keep rejections" >> WriteRejections(settings.shards.output_dir)
        )
        return built | "Finish" >> FinishDataset(settings, vocabulary, counts)


def is_document(item: TokenizedDocument | Rejection) -> bool:
    """Whether the item goes on."""
    return isinstance(item, TokenizedDocument)


def is_rejection(item: TokenizedDocument | Rejection) -> bool:
    """Whether the item ends here."""
    return isinstance(item, Rejection)


def list_rejections(built: BuiltBucket) -> Iterator[Rejection]:
    """What was rejected while shards were built."""
    yield from built.rejections
