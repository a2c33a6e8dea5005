"""Compiles the Java files beside it into a jar, once a version of them, with the compiler that Spark carries.

Why Java: docs/decisions/decoding-in-java.md. Janino is in pyspark's jars, as Spark compiles its own queries with it,
so no JDK is needed where a Java runtime is enough.
"""

import hashlib
import os
import tempfile
import zipfile
from pathlib import Path

import pyspark
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

from sensorlake.errors import StreamError

SOURCES = [Path(__file__).parent / name for name in ("Decoder.java", "Packer.java", "Limits.java")]
"""Each may use those before it."""
DECODER, PACKER, LIMITS = "sensorlake.Decoder", "sensorlake.Packer", "sensorlake.Limits"


def ensure(cache: Path, java: Path) -> Path:
    """The jar in the folder `cache`, compiled if it is not there; `java` is the program.

    Raises:
        StreamError: the source does not compile; the message says where.
    """
    content = b"".join(source.read_bytes() for source in SOURCES)
    name = hashlib.sha256(content + pyspark.__version__.encode()).hexdigest()[:16]
    jar = cache / f"decoder-{name}.jar"
    if jar.is_file():
        return jar
    cache.mkdir(parents=True, exist_ok=True)
    classes = _compile(java)
    with tempfile.NamedTemporaryFile(dir=cache, delete=False) as file, zipfile.ZipFile(file, "w") as archive:
        for class_name, code in classes.items():
            archive.writestr(class_name.replace(".", "/") + ".class", code)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(jar)
    return jar


def _compile(java: Path) -> dict[str, bytes]:
    """Class name -> class file."""
    jars = Path(pyspark.__file__).parent / "jars"
    port, token = launch_gateway(
        classpath=os.pathsep.join(map(str, sorted(jars.glob("*.jar")))),
        java_path=str(java),
        die_on_exit=True,
        enable_auth=True,
    )
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=token))
    try:
        classes: dict[str, bytes] = {}
        loader = None
        for source in SOURCES:
            compiler = gateway.jvm.org.codehaus.janino.SimpleCompiler()
            if loader is not None:
                compiler.setParentClassLoader(loader)
            compiler.cook(source.name, gateway.jvm.java.io.StringReader(source.read_text("utf-8")))
            found, loader = compiler.getBytecodes(), compiler.getClassLoader()
            classes |= {str(name): bytes(found[name]) for name in found}
        return classes
    except Exception as error:
        raise StreamError(f"the decoder does not compile: {error}") from None
    finally:
        gateway.shutdown()
