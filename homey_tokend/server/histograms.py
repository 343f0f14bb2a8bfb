"""How long things take, as histograms of prometheus-client."""

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics

_NAMESPACE = "homey_tokend"
#: Upper bounds of the histograms in seconds: from a local Homey to a cloud that hangs.
_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Durations:
    """The histograms."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs
        self.registry = CollectorRegistry(auto_describe=False)
        self.step = self._histogram("step", "step", "Time to the response of a step.")
        about = "Duration of a call through the API proxy, its time in the queue included."
        self.call = self._histogram("call", "homey", about)

    def _histogram(self, name: str, label: str, about: str) -> Histogram:
        return Histogram(
            f"{name}_duration_seconds",
            about,
            (label,),
            namespace=_NAMESPACE,
            registry=self.registry,
            buckets=_SECONDS,
        )
