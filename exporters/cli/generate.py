"""The command ``generate``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporters.cli.options import FOLDER
from exporters.errors import ExportError

if TYPE_CHECKING:
    from exporters.generation.text import Text


@click.command()
@click.argument("model", metavar="FOLDER", type=click.Path(path_type=Path))
@click.argument("prompt")
@click.option("--weights", type=FOLDER, help="The folder of the weights. [default: FOLDER]")
@click.option(
    "--plain", is_flag=True, help="Continue PROMPT as it is, without the model's chat template."
)
@click.option("--system", help="A system message before PROMPT, for the chat template.")
@click.option("--max-tokens", default=256, show_default=True, help="Stop after so many tokens.")
@click.option(
    "--temperature",
    default=0.0,
    show_default=True,
    help="0 takes the most probable token each time; 1 draws from the model's distribution.",
)
@click.option("--top-k", default=0, show_default=True, help="Draw from the K most probable tokens.")
@click.option(
    "--top-p", default=1.0, show_default=True, help="Draw from tokens of this total probability."
)
@click.option("--seed", default=0, show_default=True, help="The seed of the random numbers.")
@click.option(
    "--chunk", default=512, show_default=True, help="Read the prompt in pieces of so many tokens."
)
@click.option("--provider", default="cpu", show_default=True, help="cpu or cuda.")
def generate(
    model: Path,
    prompt: str,
    weights: Path | None,
    plain: bool,
    system: str | None,
    max_tokens: int,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int,
    chunk: int,
    provider: str,
) -> None:
    """Print what the decoder in FOLDER writes after PROMPT, and its speed.

    FOLDER holds an artifact that was exported with a cache, and tokenizer.json. It may also be the
    .onnx file itself.
    """
    for name, value in (("max-tokens", max_tokens), ("chunk", chunk)):
        if value < 1:
            raise ExportError(f"--{name} is {value}: give 1 or more.")
    file = _artifact(model)
    # These take seconds to import, so they wait until the arguments are known to be right.
    from exporters.generation.decoder import Decoder
    from exporters.generation.generate import generate as tokens_after
    from exporters.generation.sampling import Sampler, Sampling
    from exporters.generation.text import TOKENIZER, Text
    from exporters.parity.compare import open_session

    sampler = Sampler(Sampling(temperature, top_k, top_p, seed))
    text = Text(file.parent if (file.parent / TOKENIZER).exists() else weights or file.parent)
    ids = _prompt(text, prompt, system, plain=plain)
    decoder = Decoder(open_session(file, provider, weights), chunk=chunk)
    decoded, count, started = text.stream(), 0, time.perf_counter()
    first = started
    for token in tokens_after(decoder, ids, sampler, limit=max_tokens, end=text.end_tokens()):
        first = first if count else time.perf_counter()
        count += 1
        sys.stdout.write(decoded(token))
        sys.stdout.flush()
    ended = time.perf_counter()
    click.echo()
    speed = f", {(count - 1) / (ended - first):.1f} tokens/s" if count > 1 else ""
    click.echo(
        f"{len(ids)} tokens read in {first - started:.2f} s, {count} written{speed}", err=True
    )


def _prompt(text: Text, prompt: str, system: str | None, *, plain: bool) -> list[int]:
    """Return the token ids of the prompt, in the model's chat template if it has one."""
    if plain or not (text.has_chat_template or system):
        return text.encode(prompt)
    messages = [{"role": "system", "content": system}] if system else []
    return text.encode_chat([*messages, {"role": "user", "content": prompt}])


def _artifact(path: Path) -> Path:
    """Return the artifact: the file itself, or the only .onnx file of a folder.

    Raises:
        ExportError: there is none, or there are several.
    """
    if path.is_file():
        return path
    found = sorted(path.glob("*.onnx"))
    if len(found) != 1:
        names = ", ".join(each.name for each in found) or "no .onnx file"
        raise ExportError(f"{path} holds {names}: give a folder with one, or the file itself.")
    return found[0]
