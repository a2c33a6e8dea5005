"""Compiles InfluxDB 2 from its Go module and the Rust part of Flux, its query language.

Why in this way:
 - All generated Go files are in the module; only the web pages (build tag `assets`) are not: the HTTP API is complete,
   "/" shows nothing.
 - Flux's Rust crate denies warnings by default, which a newer compiler has more of: built without that feature, with
   `--locked`, so that the crates are those of its Cargo.lock. Little optimisation: it only parses queries.
 - cgo asks pkg-config for "flux"; a script of a few lines answers, so no pkg-config is needed.
"""

import shutil
from pathlib import Path

from sensorlake.errors import StackError
from stack import cache, servers
from stack.builds import compiler
from stack.builds.go_module import GoModule, Workshop
from stack.progress import Step

MODULE = GoModule(
    "github.com/influxdata/influxdb/v2", servers.INFLUXDB_VERSION, "h1:m25dUSO7h6nm3zFC4v/aCNeFFmnN/mlN/uPo1T63bmk="
)
_FLUX = "github.com/influxdata/flux"
_TAGS = "sqlite_foreign_keys,sqlite_json"
_PACKAGE = "./cmd/influxd"
_PKG_CONFIG = """#!/bin/sh
case " $* " in
  *" --cflags "*) echo "-I{include}" ;;
  *" --libs "*)   echo "-L{library} -lflux -ldl -lm -lpthread" ;;
esac
"""


def build(step: Step) -> None:
    """Compile `influxd` into the cache.

    Raises:
        StackError: a source is not the pinned one, or a compiler failed.
    """
    shop = Workshop(cache.partial_dir(f"influxd-{servers.INFLUXDB_VERSION}"))
    compiler.check_space(shop.folder)
    step.note("fetching the source")
    source = shop.copy(shop.fetch(MODULE), "src")
    step.note("fetching what it is made of")
    shop.run(["go", "mod", "download", "-x"], source, "download", step.note)
    extra = {"PKG_CONFIG": str(_libflux(shop, source, step)), "CGO_ENABLED": "1", "CGO_CFLAGS": "-O1 -g0"}
    step.expect(shop.count_packages(source, _PACKAGE, _TAGS, extra))
    program = shop.folder / "influxd"
    flags = f"-s -w -X main.version={servers.INFLUXDB_VERSION} -X main.commit=module"
    command = ["go", "build", "-v", "-trimpath", "-tags", _TAGS, "-ldflags", flags, "-o", str(program), _PACKAGE]
    shop.run(command, source, "build", step.advance, **extra)
    cache.move_into_place(program, servers.cached_influxd())
    shop.remove()


def _libflux(shop: Workshop, source: Path, step: Step) -> Path:
    """Compile Flux's Rust library; the program that answers for pkg-config."""
    flux = shop.folder / "flux"
    module = shop.folder / "gomod" / f"{_FLUX}@{_flux_version(source)}"  # its hash stands in the pinned module's go.sum
    if not flux.is_dir():
        unfinished = shop.folder / "flux.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        for part in ("libflux", "stdlib"):
            shutil.copytree(module / part, unfinished / part, copy_function=shutil.copyfile)
        unfinished.rename(flux)
    crates = (flux / "libflux" / "Cargo.lock").read_text(encoding="utf-8").count("[[package]]")
    step.expect(crates)
    target = shop.folder / "target"
    command = ["cargo", "rustc", "-p", "flux", "--lib", "--release", "--locked", "--no-default-features"]
    command += [
        "--features",
        "cffi",
        "--crate-type",
        "staticlib",
        "--target-dir",
        str(target),
        "--",
        "--cap-lints=allow",
    ]

    def said(line: str) -> None:
        if line.startswith("Compiling"):
            step.advance(f"libflux: {line.split()[1]}")
        elif line.startswith("Downloaded"):
            step.note(line)

    profile = {
        "CARGO_PROFILE_RELEASE_LTO": "off",
        "CARGO_PROFILE_RELEASE_OPT_LEVEL": "1",
        "CARGO_PROFILE_RELEASE_DEBUG": "0",
        "CARGO_TERM_COLOR": "never",
    }
    shop.run(command, flux / "libflux", "libflux", said, **profile)
    script = shop.folder / "flux-pkg-config"
    library = target / "release"
    script.write_text(_PKG_CONFIG.format(include=flux / "libflux" / "include", library=library), encoding="utf-8")
    script.chmod(0o755)
    return script


def _flux_version(source: Path) -> str:
    for line in (source / "go.mod").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[:1] == [_FLUX]:
            return words[1]
    raise StackError(f"{MODULE.path}@{MODULE.version} asks for no {_FLUX}: not the source that this build knows")
