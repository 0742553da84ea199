"""What metadata tell of a layout: text of strangers, which may say anything."""

from __future__ import annotations

import pytest

from detection.layouts.provenance import other_task, told

AUTHOR = {"author": "Ultralytics"}


@pytest.mark.parametrize(
    ("metadata", "layouts"),
    [
        ({}, None),
        ({"stride": "32", "names": "{0: 'a'}"}, None),
        ({"rfdetr_inference": "{}"}, {"rfdetr"}),
        (AUTHOR, {"yolov8", "end2end", "rtdetr", "rtdetr_topk"}),
        ({"description": "Ultralytics YOLOv8n model"}, {"yolov8", "end2end"}),
        ({"description": "Ultralytics rtdetr-l model"}, {"rtdetr", "rtdetr_topk"}),
        ({"description": "Ultralytics RT-DETR-x model"}, {"rtdetr", "rtdetr_topk"}),
        ({"head": "RTDETRDecoder"}, {"rtdetr", "rtdetr_topk"}),
        # A name of one's own says nothing where the head is told.
        ({"head": "Detect", "description": "my-rtdetr-killer"}, {"yolov8", "end2end"}),
        ({"head": "Detect", "end2end": "True"}, {"end2end"}),
        ({"head": "Detect", "args": "{'nms': True}"}, {"end2end"}),
        ({"head": "Detect", "end2end": "False", "args": "{'nms': False}"}, {"yolov8"}),
        ({"head": "Detect", "end2end": "False"}, {"yolov8", "end2end"}),
        ({"head": "Detect", "end2end": "False", "args": "{'half': 1}"}, {"yolov8", "end2end"}),
    ],
)
def test_an_exporter_is_taken_at_its_word(metadata, layouts):
    if layouts is not None and "rfdetr" not in layouts:
        metadata = {**AUTHOR, **metadata}
    assert told(metadata) == layouts


@pytest.mark.parametrize(
    "args",
    ["", "{", "__import__('os')", "[" * 100_000, "{'nms': 'True'}", "['nms']", "{'nms': 1}" * 9999],
)
def test_arguments_that_make_no_sense_say_nothing(args):
    metadata = {**AUTHOR, "head": "Detect", "end2end": "False", "args": args}
    assert told(metadata) == {"yolov8", "end2end"}


@pytest.mark.parametrize("task", ["segment", "pose", "obb", "classify"])
def test_another_task_is_told(task):
    assert other_task({"task": task}) == task


@pytest.mark.parametrize("metadata", [{}, {"task": "detect"}, {"task": "track ships"}])
def test_finding_boxes_is_no_other_task(metadata):
    assert other_task(metadata) is None
