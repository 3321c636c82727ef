"""Compare both JAX exporters on GPT-OSS, 4 layers x 1024, 64 tokens, f32."""

from __future__ import annotations

from functools import partial

from benchmarks.architectures import Feed
from benchmarks.checkpoints import GPT_OSS, gpt_oss
from benchmarks.comparison import OURS, Contender, exports, latencies
from benchmarks.processes import JOBS, run, run_ours
from benchmarks.report import heading
from benchmarks.settings import Settings

_TOKENS = 64


def run_figure(settings: Settings) -> None:
    """Print the figure. Our batch and length are symbolic; the public example fixes both."""
    heading(f"GPT-OSS, 4 layers x 1024, {_TOKENS} tokens")
    checkpoint = gpt_oss(settings.work)
    out = settings.folder("gpt_oss_out")
    ours = out / "ours.onnx"
    job = [JOBS / "export_ours.py", "gpt_oss", checkpoint, ours]
    contenders = {OURS: Contender(partial(run_ours, job, settings.work), ours, checkpoint)}
    python = settings.yardstick("public")
    if python is not None:
        artifact = out / "public.onnx"
        command = [python, JOBS / "public_gpt_oss.py", checkpoint, str(_TOKENS), artifact]
        contenders["public jax2onnx 0.17.1"] = Contender(
            partial(run, command, settings.work), artifact, alike=False
        )
    exports(settings, contenders)
    ids = Feed((1, _TOKENS), GPT_OSS["vocab_size"])
    mask = Feed((1, _TOKENS), below=2, least=1)
    latencies(settings, contenders, [ids, mask], ("gpt_oss", checkpoint))
