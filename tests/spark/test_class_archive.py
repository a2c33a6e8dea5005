"""The archive that set-up makes fits the class path that sessions have: Java says nothing where it does not."""

import subprocess

import pytest
from pyspark.sql import SparkSession

from lakehouse import class_archive
from stack import jars, java


def test_java_takes_the_archive_for_the_class_path_of_a_session(spark: SparkSession) -> None:
    archive = class_archive.flag(jars.spark_classpath(), java.java_home()).strip('"')
    if not archive:
        pytest.skip("this Java makes no archive")
    lang = spark.sparkContext._jvm.java.lang
    assert archive in list(lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments())
    command = [str(java.java_command()), "-Xshare:on", archive, "-cp", lang.System.getProperty("java.class.path")]
    taken = subprocess.run([*command, "-version"], capture_output=True, text=True, check=False, timeout=60)
    assert taken.returncode == 0, taken.stdout + taken.stderr
