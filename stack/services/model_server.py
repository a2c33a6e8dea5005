"""The model server: answers TensorFlow Serving's REST API with the published models.

Without a model it is small and idle; what computes is loaded with the first one.
"""

import os
import sys
from pathlib import Path

from sensorlake.settings import PREFIX
from stack import environment, http_probe
from stack.layout import Stack
from stack.program import BACKGROUND_NICENESS, Program


class ModelServer:
    name = "model-server"

    def address(self, stack: Stack) -> str:
        return f"http://127.0.0.1:{stack.ports[self.name]}"

    def prepare(self, stack: Stack) -> Program:
        command = [str(Path(sys.prefix) / "bin" / "sensorlake"), "serve-models", "--port", str(stack.ports[self.name])]
        variables = environment.settings_of(os.environ) | {PREFIX + "DATA_DIR": str(stack.layout.root)}
        # It stands with Dagster's programs: what it is asked for is scored in batches, and alerts never wait for it.
        return Program(
            self.name, command, Path.cwd(), variables, started_after=2, niceness=BACKGROUND_NICENESS, priority=500
        )

    def is_ready(self, stack: Stack) -> bool:
        code, answer = http_probe.request(f"{self.address(stack)}/healthz")
        return code == 200 and answer.get("status") == "ok"

    def after_start(self, stack: Stack) -> None:
        """Nothing: it finds the models by itself."""
