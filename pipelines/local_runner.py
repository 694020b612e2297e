"""Running on this machine: Beam's embedded runner, named explicitly since the plain one would ask the network first."""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, SetupOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipelines.forked_workers import can_fork, fork_workers

_BYTES_WORTH_A_PROCESS = 16_000_000  # of less text, one process makes a dataset as fast as two


def known_beam_flags() -> argparse.ArgumentParser:
    """A parser of every option Beam knows here, so that what it does not know can be told from what it does."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, conflict_handler="resolve")
    for options in _subclasses(PipelineOptions):
        if "_add_argparse_args" in vars(options):
            options._add_argparse_args(parser)
    return parser


def make_options(beam_arguments: Sequence[str], input_bytes: int) -> PipelineOptions:
    """Pipeline options; on the local runner one process per core, or one for small input, unless said otherwise."""
    # Without explicit flags Beam would read sys.argv.
    options = PipelineOptions(list(beam_arguments))
    options.view_as(SetupOptions).save_main_session = False
    direct = options.view_as(DirectOptions)
    if is_local(options) and not any(argument.startswith("--direct_num_workers") for argument in beam_arguments):
        direct.direct_num_workers = min(os.cpu_count() or 1, 1 + input_bytes // _BYTES_WORTH_A_PROCESS)
    return options


def is_local(options: PipelineOptions) -> bool:
    """Whether no runner was asked for."""
    return options.view_as(StandardOptions).runner is None


@contextmanager
def local_runner(options: PipelineOptions) -> Iterator[PipelineRunner | None]:
    """The local runner, its workers as processes if there are several; none where the options name another runner."""
    if not is_local(options):
        yield None
    elif options.view_as(DirectOptions).direct_num_workers == 1:
        yield FnApiRunner()
    else:
        started_anew = nullcontext(f"{shlex.quote(sys.executable)} -m mlm_data.transforms.local_worker")
        with fork_workers() if can_fork() else started_anew as command:
            yield FnApiRunner(default_environment=SubprocessSDKEnvironment.from_command_string(command))


def peak_memory() -> int:
    """The largest resident set of this process or one of its finished workers, bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(one).ru_maxrss for one in who) * unit


def _subclasses(cls: type[PipelineOptions]) -> list[type[PipelineOptions]]:
    children: list[type[PipelineOptions]] = cls.__subclasses__()
    return [cls, *(found for child in children for found in _subclasses(child))]
