"""Metrics: in Prometheus' format, told apart by colour and version, with bounded labels."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from telemetry import metrics
from telemetry.metrics import HttpMetrics, Metrics


def made() -> Metrics:
    return metrics.registry(service="tested", version="1.2.3", colour="blue")


def families(registry: Metrics):
    return {
        family.name: family
        for family in text_string_to_metric_families(registry.exposition().decode())
    }


def samples(registry: Metrics, name: str):
    return [
        sample
        for family in families(registry).values()
        for sample in family.samples
        if sample.name == name
    ]


def test_every_sample_carries_version_and_colour():
    registry = made()
    Counter("events_total", "Events.", ["kind"], registry=registry.registry).labels("a").inc()
    HttpMetrics(registry).begin()
    told = families(registry)
    assert told
    for family in told.values():
        for sample in family.samples:
            assert sample.labels["version"] == "1.2.3", sample
            assert sample.labels["colour"] == "blue", sample


def test_what_is_counted_is_told_with_its_own_labels_type_and_help():
    registry = made()
    counter = Counter("events_total", "Events so far.", ["kind"], registry=registry.registry)
    counter.labels("a").inc(3)
    counter.labels("b").inc(4)
    Gauge("depth", "Depth.", registry=registry.registry).set(2.5)
    histogram = Histogram("wait_seconds", "Wait.", buckets=(1, 5), registry=registry.registry)
    histogram.observe(0.5)
    histogram.observe(3)
    told = families(registry)
    assert told["events"].type == "counter"
    assert told["events"].documentation == "Events so far."
    counted = samples(registry, "events_total")
    assert {sample.labels["kind"]: sample.value for sample in counted} == {"a": 3, "b": 4}
    assert told["depth"].type == "gauge"
    assert told["wait_seconds"].type == "histogram"
    buckets = samples(registry, "wait_seconds_bucket")
    assert [(sample.labels["le"], sample.value) for sample in buckets] == [
        ("1.0", 1), ("5.0", 2), ("+Inf", 2),
    ]  # fmt: skip


def test_when_a_series_began_is_left_out():
    registry = made()
    Counter("events_total", "Events.", registry=registry.registry).inc()
    HttpMetrics(registry).begin()
    assert b"_created" not in registry.exposition()


def test_the_service_is_known_by_its_build_info_and_the_process_by_its_memory():
    registry = made()
    (info,) = samples(registry, "sightline_build_info")
    assert info.labels == {"service": "tested", "version": "1.2.3", "colour": "blue"}
    assert info.value == 1
    assert samples(registry, "process_resident_memory_bytes")


def test_each_application_has_a_registry_of_its_own():
    first, second = made(), made()
    HttpMetrics(first).begin()
    HttpMetrics(second)
    assert first.registry.get_sample_value("sightline_http_requests_in_flight") == 1
    assert second.registry.get_sample_value("sightline_http_requests_in_flight") == 0


def test_a_request_is_in_flight_and_then_counted_with_its_duration():
    registry = made()
    http = HttpMetrics(registry)
    http.begin()
    http.begin()
    http.end(method="GET", route="/v1/events/{uid}", status=200, seconds=0.3)
    assert registry.registry.get_sample_value("sightline_http_requests_in_flight") == 1
    (counted,) = samples(registry, "sightline_http_requests_total")
    assert counted.value == 1
    assert (counted.labels["method"], counted.labels["route"], counted.labels["status"]) == (
        "GET", "/v1/events/{uid}", "200",
    )  # fmt: skip
    (total,) = samples(registry, "sightline_http_request_duration_seconds_sum")
    assert total.value == 0.3


def test_methods_that_clients_invent_are_one_label():
    registry = made()
    http = HttpMetrics(registry)
    for method in ("GET", "BREW", "get", "PROPFIND"):
        http.begin()
        http.end(method=method, route="/", status=405, seconds=0)
    counted = samples(registry, "sightline_http_requests_total")
    assert {sample.labels["method"]: sample.value for sample in counted} == {"GET": 1, "other": 3}


def test_buckets_grow_and_reach_as_far_as_what_they_measure_can_take():
    for buckets in (metrics.REQUEST_BUCKETS, metrics.STAGE_BUCKETS, metrics.DELIVERY_BUCKETS):
        assert list(buckets) == sorted(set(buckets))
        assert buckets[0] > 0
    # A TAK outage lasts for hours; a request is given up long before.
    assert metrics.DELIVERY_BUCKETS[-1] >= 3600
    assert metrics.REQUEST_BUCKETS[-1] >= 30
