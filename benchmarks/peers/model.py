"""A scripted model behind an OpenAI-compatible server, in a process of its own: `python model.py PORT_FILE OPTIONS_JSON`.

Options: `latency_s`; `replies`, a list of names of programs of `task.py`, answered in turn (after its end: honest ones);
`by_prompt`, to let the answer depend on the prompt alone; `upstream`, a server that is asked instead; `most`, requests
after which nobody is answered any more. GET /stats says how many requests came and were answered. One reply suits every
system's parser.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import urllib.request
from pathlib import Path

from task import honest, hostile

REPLY = (
    "<NAME>\nstep\n</NAME>\n\n<DESCRIPTION>\nAnother knob.\n</DESCRIPTION>\n\n<CODE>\n```python\n{code}```\n</CODE>\n"
)


class Model:
    """Counts what it is asked and what it has answered."""

    def __init__(self, options: dict) -> None:
        self.options = options
        self.asked = 0
        self.answered = 0
        self.tokens = 0

    async def answer(self, path: str, body: bytes) -> bytes:
        """The JSON of an answer."""
        number, self.asked = self.asked, self.asked + 1
        if number >= self.options.get("most", sys.maxsize):
            await asyncio.Event().wait()  # until they hang up
        if upstream := self.options.get("upstream"):
            content = await asyncio.to_thread(self._ask, upstream + path.removeprefix("/v1"), body)
            answer = json.loads(content)
            self.tokens += (answer.get("usage") or {}).get("completion_tokens", 0)
            self.answered += max(0, len(answer.get("choices", ())) - 1)  # every choice is a reply
        else:
            if latency := self.options.get("latency_s"):
                await asyncio.sleep(latency)
            content = self._scripted(number, path, json.loads(body))
        self.answered += 1
        return content

    def _scripted(self, number: int, path: str, request: dict) -> bytes:
        script = self.options.get("replies", [])
        case = script[number] if number < len(script) else "honest"
        if self.options.get("by_prompt"):
            said = json.dumps(request.get("messages") or request.get("prompt"), sort_keys=True)
            number = int(hashlib.sha256(said.encode()).hexdigest()[:8], 16) % 1_000_000
        code = honest(number) if case == "honest" else hostile(case, number, self.options["mark"])
        text = REPLY.format(code=code)
        count = request.get("n") or 1
        if path.endswith("/chat/completions"):
            one = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        else:
            one = {"text": text, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1_000, "completion_tokens": 600 * count, "total_tokens": 1_000 + 600 * count}
        answer = {"id": f"scripted-{number}", "object": "chat.completion", "created": 0, "model": "scripted"}
        answer |= {"choices": [{"index": index, **one} for index in range(count)], "usage": usage}
        return json.dumps(answer).encode()

    @staticmethod
    def _ask(url: str, body: bytes) -> bytes:
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=3_600) as response:
            return response.read()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                path = lines[0].split(" ")[1]
                length = next(
                    (int(v) for k, _, v in (x.partition(":") for x in lines) if k.lower() == "content-length"), 0
                )
                body = await reader.readexactly(length)
                if path == "/stats":
                    content = json.dumps(
                        {"asked": self.asked, "answered": self.answered, "tokens": self.tokens}
                    ).encode()
                elif path.endswith("/models"):
                    content = b'{"object": "list", "data": [{"id": "scripted", "object": "model"}]}'
                else:
                    content = await self.answer(path, body)
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content)
                )
                writer.write(content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # they hung up
        finally:
            writer.close()


async def main(port_file: Path, options: dict) -> None:
    model = Model(options)
    server = await asyncio.start_server(model.serve, "127.0.0.1", 0, limit=2**24)
    part = port_file.with_suffix(".part")
    part.write_text(str(server.sockets[0].getsockname()[1]))
    os.rename(part, port_file)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
