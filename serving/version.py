"""One version of a model: where it is in its life, and how it is asked."""

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

from serving.batching import Batcher, Limits
from serving.engines.engine import Engine
from serving.signature import Signature, Tensors

LOADING, AVAILABLE, END = "LOADING", "AVAILABLE", "END"


@dataclass(frozen=True)
class Version:
    """`state` as in TensorFlow Serving. One that could not be loaded is at its END, and `error` says why."""

    name: str
    number: int
    state: str
    error: str = ""
    engine: Engine | None = None
    failed_at: float = 0.0
    _batchers: Mapping[str, Batcher] = field(default_factory=dict)

    @classmethod
    def available(cls, name: str, number: int, engine: Engine, executor: Executor, limits: Limits) -> "Version":
        def batcher(signature: str) -> Batcher:
            return Batcher(
                engine.signatures[signature], lambda inputs: engine.predict(signature, inputs), executor, limits
            )

        batchers = {each: batcher(each) for each in engine.signatures}
        return cls(name, number, AVAILABLE, engine=engine, _batchers=batchers)

    @property
    def signatures(self) -> Mapping[str, Signature]:
        return self.engine.signatures if self.engine else {}

    async def predict(self, signature: str, inputs: Tensors) -> Tensors:
        """
        Raises:
            RefusalError: the queue is full, or the model cannot compute these inputs.
        """
        return await self._batchers[signature].predict(inputs)

    def describe(self) -> dict[str, object]:
        """As ModelVersionStatus in JSON."""
        status = {"error_code": "FAILED_PRECONDITION" if self.error else "OK", "error_message": self.error}
        return {"version": str(self.number), "state": self.state, "status": status}
