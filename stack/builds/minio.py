"""Compiles MinIO from its Go module, the source install its authors name. The project is archived: hence the pin."""

from stack import cache, servers
from stack.builds import compiler
from stack.builds.go_module import GoModule, Workshop
from stack.progress import Step

MODULE = GoModule("github.com/minio/minio", servers.MINIO_VERSION, "h1:/qdoYujxF5MBLDMVLeiYJ/7fBa1HikX39Dvzb9Ji8pA=")
_TAGS = "kqueue"


def build(step: Step) -> None:
    """Compile `minio` into the cache.

    Raises:
        StackError: the source is not the pinned one, or the compiler failed.
    """
    shop = Workshop(cache.partial_dir(f"minio-{servers.MINIO_VERSION}"))
    compiler.check_space(shop.folder)
    step.note("fetching the source")
    source = shop.copy(shop.fetch(MODULE), "src")
    step.note("fetching what it is made of")
    shop.run(["go", "mod", "download", "-x"], source, "download", step.note)
    step.expect(shop.count_packages(source, ".", _TAGS, {}))
    program = shop.folder / "minio"
    command = ["go", "build", "-v", "-trimpath", "-tags", _TAGS, "-ldflags", "-s -w", "-o", str(program), "."]
    shop.run(command, source, "build", step.advance, CGO_ENABLED="0")
    cache.move_into_place(program, servers.cached_minio())
    shop.remove()
