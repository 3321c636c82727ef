"""The command line: families, options, numbers, paths and names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.hostile.areas.arrays import artifact
from tests.hostile.entry import FIXTURES, Entry, fixture, holds, nothing

AREA = "command line"

_FIXTURES = {"gpt_oss": "gpt_oss_dense", "dinov3": "dinov3_vit", "minilm": "minilm_tiny"}


def entries() -> Iterator[Entry]:
    """Yield the entries of this area."""
    yield from _families()
    yield from _options()
    yield from _usage()
    yield from _paths()
    yield from _weights()
    yield from _numbers()


def _export(
    name: str, arguments: tuple[str, ...], expected: str, family: str = "minilm", status: int = 1
) -> Entry:
    weights = str(FIXTURES / _FIXTURES.get(family, "minilm_tiny"))
    full = ("export", family, weights, "-o", "{here}/out/m.onnx", *arguments)
    return Entry(AREA, name, nothing, full, expected, status=status)


def _families() -> Iterator[Entry]:
    for family, expected in (
        ("gpt_os", "did you mean 'gpt_oss'?"),
        ("GPT_OSS", "there is no model family"),
        ("", "there is no model family"),
        (".", "there is no model family"),
        ("../gpt_oss", "there is no model family"),
        ("minilm ", "did you mean 'minilm'?"),
        ("\x1b[31m", "there is no model family"),
        ("x" * 5000, "there is no model family"),
        ("__init__", "there is no model family"),
        ("mïnilm", "there is no model family"),
        ("gone:export", "there is no module gone"),
        ("json:gone", "json has no function 'gone'"),
        ("json:", "json has no function ''"),
        (":export", "there is no module"),
        (":", "there is no module"),
        ("json:decoder", "json has no function 'decoder'"),
        ("a.b.c:d", "there is no module a"),
        ("json:JSONDecoder", "cannot be called"),
        ("os:getcwd", "cannot be called"),
        (".relative:f", "there is no module"),
        ("a..b:c", "there is no module"),
        ("a b:c", "there is no module"),
        ("json.gone:a", "there is no module json.gone"),
        ("1:2", "there is no module 1"),
        ("json:__doc__", "has no function '__doc__'"),
        ("sys:exit", "sys"),
        ("x" * 300 + ":f", "there is no module"),
    ):
        yield _export(f"the family {ascii(family)[:24]} ({len(family)})", (), expected, family)


def _options() -> Iterator[Entry]:
    for family, option in (
        ("minilm", "batch=0"),
        ("minilm", "batch=-1"),
        ("minilm", "batch=1.5"),
        ("minilm", "batch=null"),
        ("minilm", "batch=[]"),
        ("minilm", "batch=true"),
        ("minilm", "batch={}"),
        ("minilm", "batch="),
        ("minilm", "batch=a b"),
        ("minilm", "batch=1e3"),
        ("minilm", "batch=NaN"),
        ("minilm", "batch=Infinity"),
        ("minilm", "batch=é"),
        ("minilm", "batch=\x1b[31m"),
        ("minilm", "batch=99999999999"),
        ("minilm", "batch=2*B"),
        ("minilm", f"batch={'9' * 4000}"),
        ("minilm", f"batch={'9' * 5000}"),
        ("minilm", f"batch={'[' * 5000}"),
        ("minilm", "sequence=25"),
        ("minilm", "sequence=batch_size"),
        ("minilm", "sequence=-5"),
        ("gpt_oss", "cache=False"),
        ("gpt_oss", "cache=1"),
        ("gpt_oss", "cache=yes"),
        ("gpt_oss", "cache=null"),
        ("gpt_oss", 'cache="true"'),
        ("gpt_oss", "logits=first"),
        ("gpt_oss", "logits=1"),
        ("gpt_oss", "logits="),
        ("gpt_oss", "dtype=float64"),
        ("gpt_oss", "dtype=f16"),
        ("gpt_oss", "dtype=16"),
        ("gpt_oss", "stack=linen"),
        ("gpt_oss", "stack=null"),
        ("gpt_oss", "position_ids=0"),
        ("gpt_oss", "position_ids=[true]"),
        ("gpt_oss", "sequence=batch_size"),
        ("gpt_oss", "batch=past_sequence_length"),
        ("gpt_oss", "batch=total_sequence_length"),
        ("dinov3", "image_size=0"),
        ("dinov3", "image_size=-4"),
        ("dinov3", "image_size=[20]"),
        ("dinov3", "image_size=[20,20,20]"),
        ("dinov3", "image_size=[20,0]"),
        ("dinov3", "image_size=true"),
        ("dinov3", "image_size={}"),
        ("dinov3", "image_size=20.5"),
        ("dinov3", "image_size=99999999"),
        ("dinov3", 'image_size=""'),
        ("dinov3", "batch=[1]"),
        ("dinov3", "batch=0"),
    ):
        name = option.partition("=")[0]
        yield _export(
            f"{family} -O {ascii(option)[1:-1][:30]} ({len(option)})", ("-O", option), name, family
        )
    for option in ("batch", "=1", "", "=", "batch:1", "--batch", "batch 1"):
        yield _export(f"-O {option!r}", ("-O", option), "is not of the form NAME=VALUE")
    for option in (
        "bacth=1",
        "Batch=1",
        "checkpoint=1",
        "self=1",
        "\x1b[31m=1",
        f"{'x' * 3000}=1",
        "batch.size=1",
        " batch=1",
        "__class__=1",
    ):
        yield _export(f"-O {ascii(option)[1:-1][:24]}", ("-O", option), "option")


def _usage() -> Iterator[Entry]:
    for arguments in (
        ("exprot",),
        ("export",),
        ("export", "minilm"),
        ("export", "minilm", "w", "more"),
        ("verify",),
        ("verify", "m.onnx"),
        ("materialize", "m.onnx", "w"),
        ("inspect",),
        ("pin",),
        ("pin", "a", "b"),
        ("generate",),
        ("generate", "a"),
        ("--gone",),
        ("export", "--gone"),
        ("export", "minilm", "w", "--opset"),
        ("export", "minilm", "w", "-O"),
        ("export", "minilm", "w", "--opset", "x"),
        ("export", "minilm", "w", "--opset", "1.5"),
        ("export", "minilm", "w", "--opset", ""),
        ("export", "minilm", "w", "--opset", "0x10"),
        ("verify", "m.onnx", "w", "--atol", "x"),
        ("verify", "m.onnx", "w", "--rtol", ""),
        ("verify", "m.onnx", "w", "--atol", "1,5"),
        ("generate", "a", "b", "--top-k", "1.5"),
        ("generate", "a", "b", "--seed", "x"),
        ("\x1b[31m",),
        ("x" * 9000,),
        ("export", "minilm", "w", "--store"),
        ("inspect", "a", "--JSON"),
        ("pin", "a", "-o"),
    ):
        shown = ascii(" ".join(arguments))[1:-1][:50]
        yield Entry(AREA, f"usage: {shown}", nothing, arguments, "Error: ", status=2)


def _paths() -> Iterator[Entry]:
    weights = str(FIXTURES / "minilm_tiny")

    def blocked(here: Path) -> None:
        (here / "file").write_text("a file")
        (here / "folder.onnx").mkdir()
        (here / "loop").symlink_to("loop")
        (here / "gone").symlink_to("nowhere/at/all")

    for output, expected in (
        ("{here}/file/m.onnx", "Check the path"),
        ("{here}/out/m", "must end in .onnx"),
        ("{here}/out/m.onnx.bin", "must end in .onnx"),
        ("{here}/out/m.ONNX", "must end in .onnx"),
        ("{here}/out/" + "a" * 300 + ".onnx", "File name too long"),
        ("{here}/" + "a/" * 2500 + "m.onnx", "Check the path"),
        ("{here}/loop/m.onnx", "Check the path"),
        ("/proc/m.onnx", "Check the path"),
        ("/dev/null/m.onnx", "Check the path"),
        ("/sys/m.onnx", "Check the path"),
        ("{here}/gone/m.onnx", "Check the path"),
    ):
        yield Entry(
            AREA,
            f"-o {output[:40]}",
            blocked,
            ("export", "minilm", weights, "-o", output),
            expected,
        )
    yield Entry(
        AREA,
        "-o a folder",
        blocked,
        ("export", "minilm", weights, "-o", "{here}/folder.onnx"),
        "Is a directory",
    )
    for command in ("verify", "materialize"):
        more = ("{here}/out/w",) if command == "materialize" else ()
        for name, file, expected, status in (
            ("nothing", "{here}/gone.onnx", "does not exist", 1),
            ("a folder", "{here}/folder.onnx", "is a directory", 2),
            ("a loop", "{here}/loop", "does not exist", 1),
            ("a name of 300 bytes", "{here}/" + "a" * 300, "File name too long", 1),
            ("/dev/zero", "/dev/zero", "does not exist", 1),
            ("a text", "{here}/file", "is not", 1),
        ):
            yield Entry(
                AREA,
                f"{command} {name}",
                blocked,
                (command, file, weights, *more),
                expected,
                status=status,
            )
    for name, path, expected in (
        ("nothing", "{here}/gone.onnx", "does not exist"),
        ("a loop", "{here}/loop", "does not exist"),
        ("a name of 300 bytes", "a" * 300, "File name too long"),
        ("an empty name", "", ""),
        ("/dev/zero", "/dev/zero", "does not exist"),
        ("/dev/null", "/dev/null", "does not exist"),
        ("a text", "{here}/file", "is not"),
        ("an empty folder", "{here}/out", "holds no *.safetensors file"),
        ("a name of 5,000 bytes", "{here}/" + "a/" * 2500, "File name too long"),
        ("a URL", "https://h/a", "does not exist"),
        ("a control character", "\x1b[31m", "does not exist"),
        ("half a surrogate", "\udcff", "does not exist"),
    ):
        yield Entry(AREA, f"inspect {name}", blocked, ("inspect", path), expected)
    for target, expected in (
        ("{here}/file", "is a file"),
        ("{here}/full", "exists already"),
        ("{here}/file/w", "Check the path"),
        ("{here}/" + "a" * 300, "File name too long"),
        ("/proc/w", "Check the path"),
    ):

        def prepare(here: Path) -> None:
            blocked(here)
            (here / "full").mkdir()
            (here / "full" / "mine").write_text("my own")
            for file in artifact().parent.iterdir():
                (here / file.name).write_bytes(file.read_bytes())

        yield Entry(
            AREA,
            f"materialize into {target[:24]}",
            prepare,
            ("materialize", "{here}/m.onnx", weights, target),
            expected,
            status=2 if expected == "is a file" else 1,
        )


def _weights() -> Iterator[Entry]:
    for weights, expected in (
        ("", "holds no *.safetensors file"),
        ("/nowhere", "is not a folder, a digest file"),
        ("hf://", "hf://org/repo@revision"),
        ("hf://a", "hf://org/repo@revision"),
        ("hf://a/b/../c", "hf://org/repo@revision"),
        ("hf://a/b@", "hf://org/repo@revision"),
        ("hf://a b/c", "hf://org/repo@revision"),
        ("hf://a/b?x=1", "hf://org/repo@revision"),
        ("hf://\x1b[31m/b", "hf://org/repo@revision"),
        ("hf://é/b", "hf://org/repo@revision"),
        ("hf://a//b", "hf://org/repo@revision"),
        ("hf://../b", "hf://org/repo@revision"),
        ("hf://a/b#c", "hf://org/repo@revision"),
        ("https://u:{PASSWORD}@h/a", "https://h/a is not a folder"),
        ("https://h/a?token={TOKEN}", "https://h/a is not a folder"),
        ("https://[::1", "a malformed URL is not a folder"),
        ("\x1b[31m", "is not a folder, a digest file"),
        ("a" * 300, "File name too long"),
        ("{here}/p.json", "is not a folder"),
        ("/dev/zero", "is not a folder, a digest file"),
        ("\udcff", "is not a folder, a digest file"),
        ("HF://a/b", "is not a folder"),
        ("file:///w", "is not a folder"),
        ("~", "is not a folder"),
        ("a,b", "is not a folder"),
        ("-", "is not a folder"),
    ):
        for command, more in (("export", ("-o", "{here}/out/m.onnx")),):
            yield Entry(
                AREA,
                f"{command} with the weights {ascii(weights)[1:-1][:30]}",
                nothing,
                (command, "minilm", weights, *more),
                expected,
            )
    for name, files, expected in (
        ("nothing", {}, "holds no *.safetensors file"),
        ("a pickle", {"pytorch_model.bin": b"\x80\x04."}, "Pickles can run code"),
        ("a .pth", {"m.pth": b"PK\x03\x04"}, "Pickles can run code"),
        ("a .ckpt", {"m.ckpt": b"a"}, "Pickles can run code"),
        ("two safetensors files", {"a.safetensors": b"", "b.safetensors": b""}, "and no index"),
        ("a GGUF", {"m.gguf": b"GGUF"}, "holds no *.safetensors"),
    ):
        yield Entry(
            AREA,
            f"export of a folder with {name}",
            holds(files),
            ("export", "minilm", "{here}/w", "-o", "{here}/out/m.onnx"),
            expected,
        )
    yield Entry(
        AREA,
        "--pins with hf://",
        holds({"p.json": "{}"}),
        ("export", "minilm", "hf://a/b", "--pins", "{here}/w/p.json", "-o", "{here}/out/m.onnx"),
        "--pins is for a folder",
    )
    for family in ("gpt_oss", "dinov3", "minilm"):
        for other in ("gpt_oss_dense", "gpt_oss_original", "dinov3_vit", "minilm_tiny"):
            if not other.startswith(family):
                yield Entry(
                    AREA,
                    f"export {family} of {other}",
                    fixture(other),
                    ("export", family, "{here}/w", "-o", "{here}/out/m.onnx"),
                    "{here}/w",
                )


def _numbers() -> Iterator[Entry]:
    for opset in ("0", "-1", "7", "12", "99", "1000000", "9999999999999999999999"):
        yield _export(f"--opset {opset}", ("--opset", opset), "opset")

    def prepare(here: Path) -> None:
        for file in artifact().parent.iterdir():
            (here / file.name).write_bytes(file.read_bytes())

    weights = str(FIXTURES / "minilm_tiny")
    for name in ("--atol", "--rtol"):
        for value in ("nan", "inf", "-inf", "-1", "-1e-9", "NaN", "1e999"):
            arguments = ("verify", "{here}/m.onnx", weights, name, value)
            yield Entry(AREA, f"verify {name} {value}", prepare, arguments, "tol")
    for more, expected in (
        (("--provider", "gpu"), "there is no execution provider 'gpu'"),
        (("--provider", ""), "there is no execution provider"),
        (("--provider", "\x1b[31m"), "there is no execution provider"),
        (("--reference", "gone"), "has no function 'gone'"),
        (("--reference", "gone:f"), "there is no module gone"),
        (("--reference", ""), "has no function ''"),
        (("--reference", "against_torch"), "no data was given"),
        (("--exporter", "gone"), "there is no model family"),
        (("--exporter", "dinov3"), "config.json"),
        (("-O", "batch=3", "-O", "gone=1"), "no option 'gone'"),
        (("--reference", "json:dumps"), ""),
        (("--provider", "cuda"), "CUDAExecutionProvider"),
    ):
        yield Entry(
            AREA,
            f"verify {ascii(' '.join(more))[1:-1][:40]}",
            prepare,
            ("verify", "{here}/m.onnx", weights, *more),
            expected,
        )
