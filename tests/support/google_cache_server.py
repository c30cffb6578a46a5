"""Context caches of the loopback Gemini, as strict as Google's: what they hold, how long, what goes beside them."""

import re
import time
from typing import Any

MINIMUM = 1024


class Caches:
    """The `cachedContents` of the server.

    Attributes:
        kept: by name; what each was made of, and when it ends.
        tokens: what the next one comes to.
        made: bodies that were accepted.
    """

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.made: list[dict[str, Any]] = []
        self.tokens = 2000

    def make(self, body: dict[str, Any]) -> dict[str, Any] | str:
        """The resource as Google answers, or why there is none."""
        if unknown := body.keys() - {"model", "contents", "systemInstruction", "ttl", "displayName"}:
            return f"Unknown name {sorted(unknown)}: Cannot find field."
        if not re.fullmatch(r"models/[\w.-]+", body.get("model", "")):
            return "The model is no resource name."
        if not re.fullmatch(r"\d+(\.\d{1,9})?s", body.get("ttl", "")):
            return "Illegal duration format"
        if not body.get("contents") or any(content.get("role") != "user" for content in body["contents"]):
            return "CachedContent must have at least one content of the user."
        if self.tokens < MINIMUM:
            return f"Cached content is too small. total_token_count={self.tokens}, min_total_token_count={MINIMUM}"
        name = f"cachedContents/c{len(self.made):03d}"
        self.made.append(body)
        ends = time.time() + float(body["ttl"][:-1])
        self.kept[name] = {"model": body["model"], "ends": ends, "tokens": self.tokens}
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))
        usage = {"totalTokenCount": self.tokens}
        return {"name": name, "model": body["model"], "expireTime": stamp, "usageMetadata": usage}

    def fault(self, body: dict[str, Any], model: str) -> str | None:
        """Why a request may not name the cache that it names; `gone` when there is none of that name."""
        known = self.kept.get(body["cachedContent"])
        if known is None or known["ends"] < time.time():
            return "gone"
        if known["model"] != f"models/{model}":
            return "Model used by GenerateContent request and CachedContent has to be the same."
        if body.keys() & {"systemInstruction", "tools", "toolConfig"}:
            return (
                "CachedContent can not be used with GenerateContent request setting system_instruction, tools or"
                " tool_config. Proposed fix: move those values to CachedContent from GenerateContent request."
            )
        return None

    def usage(self, name: str) -> dict[str, Any]:
        """The counts of a reply whose head lay in the cache: 400 tokens beside it, and a tenth of it sound."""
        tokens = self.kept[name]["tokens"]
        sound = [{"modality": "AUDIO", "tokenCount": tokens // 10}]
        rest = [{"modality": "VIDEO", "tokenCount": tokens - tokens // 10}]
        return {
            "promptTokenCount": tokens + 400,
            "candidatesTokenCount": 50,
            "totalTokenCount": tokens + 450,
            "cachedContentTokenCount": tokens,
            "cacheTokensDetails": sound + rest,
            "promptTokensDetails": [*sound, *rest, {"modality": "TEXT", "tokenCount": 400}],
        }
