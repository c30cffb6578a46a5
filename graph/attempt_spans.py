"""Groups the spans of one attempt in a trace below a span `attempt N`. The graph itself has no such node.

LangGraph hangs every node's span below the run's root. Before a span is sent, the spans of an attempt's nodes, and all
that is below them, are moved below a span that is added here.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import langsmith

ATTEMPT = "attempt"
"""Key of the number of the attempt in the input of a node's span."""
_MAX_TRACES = 500
_ID_LENGTH = 36


@dataclass
class _Group:
    """The span of one attempt: how it is sent, its place in the order of spans, and what is known at its end."""

    sent: dict[str, Any]
    segment: str
    end_time: Any = None
    score: int | None = None
    claims: list[dict[str, Any]] | None = None


@dataclass
class _Trace:
    groups: dict[int, _Group] = field(default_factory=dict)
    by_node: dict[str, _Group] = field(default_factory=dict)


class AttemptSpans:
    """The spans `attempt N` of the traces that are being sent."""

    def __init__(self) -> None:
        """No trace yet."""
        self._traces: OrderedDict[str, _Trace] = OrderedDict()
        self._lock = threading.Lock()

    def opened(self, run_id: Any, inputs: Any, span: dict[str, Any]) -> dict[str, Any] | None:
        """The span of an attempt to send before a node's span that begins it; None: there is none to send.

        Args:
            run_id: the id of the span that begins.
            inputs: its input.
            span: what is sent of it beside that: trace_id, parent_run_id, dotted_order, start_time, session_name, …
        """
        number = inputs.get(ATTEMPT) if isinstance(inputs, dict) else None
        root = str(span.get("trace_id"))
        if not isinstance(number, int) or str(span.get("parent_run_id")) != root:
            return None
        with self._lock:
            trace = self._trace(root)
            group = trace.groups.get(number)
            begins = group is None
            if group is None:
                group = trace.groups[number] = _new_group(number, span)
            trace.by_node[str(run_id)] = group
        return {**group.sent, "inputs": {ATTEMPT: number}} if begins else None

    def placed(self, span: dict[str, Any]) -> dict[str, Any]:
        """The place of a span (parent_run_id, dotted_order) in the trace with attempts; {} if it stays where it is."""
        order = span.get("dotted_order")
        trace = self._traces.get(str(span.get("trace_id")))
        if trace is None or not order:
            return {}
        segments = order.split(".")
        group = trace.by_node.get(segments[1][-_ID_LENGTH:]) if len(segments) > 1 else None
        if group is None:
            return {}
        placed = {"dotted_order": ".".join([segments[0], group.segment, *segments[1:]])}
        if len(segments) == 2:
            placed["parent_run_id"] = group.sent["id"]
        return placed

    def closed(self, run_id: Any, outputs: Any, span: dict[str, Any]) -> list[dict[str, Any]]:
        """The spans of attempts to close when a span ends: all of them at the end of the root, else none."""
        root = str(span.get("trace_id"))
        with self._lock:
            trace = self._traces.get(root)
            if trace is None:
                return []
            if str(run_id) == root:
                del self._traces[root]
                return [_closing(group, span) for group in trace.groups.values()]
            if group := trace.by_node.get(str(run_id)):
                group.end_time = span.get("end_time")
                score = outputs.get("score") if isinstance(outputs, dict) else None
                group.score = group.score if score is None else score
                claims = outputs.get("claims") if isinstance(outputs, dict) else None
                group.claims = claims or group.claims
        return []

    def _trace(self, root: str) -> _Trace:
        trace = self._traces.setdefault(root, _Trace())
        # A trace whose root never ends must not stay in memory.
        while len(self._traces) > _MAX_TRACES:
            self._traces.popitem(last=False)
        return trace


def _new_group(number: int, span: dict[str, Any]) -> _Group:
    own, segments = langsmith.uuid7(), span["dotted_order"].split(".")
    segment = f"{segments[-1][:-_ID_LENGTH]}{own}"
    sent: dict[str, Any] = {name: span.get(name) for name in ("trace_id", "start_time", "session_name")}
    sent |= {"id": own, "name": f"{ATTEMPT} {number}", "run_type": "chain", "parent_run_id": span["parent_run_id"]}
    return _Group({**sent, "dotted_order": f"{segments[0]}.{segment}"}, segment)


def _closing(group: _Group, root: dict[str, Any]) -> dict[str, Any]:
    sent = {name: value for name, value in group.sent.items() if name != "id"}
    outputs: dict[str, Any] = {"score": group.score}
    if group.claims:
        outputs["claims"] = group.claims
    return {**sent, "run_id": group.sent["id"], "end_time": group.end_time or root.get("end_time"), "outputs": outputs}
