from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct

import pytest
from iroh import SecretKey

from quiltwork.blobs.iroh import IrohTransport
from quiltwork.blobs.tcp import TcpTransport
from quiltwork.blobs.transport import (
    SEND_BYTES,
    Stream,
    StreamBroken,
    Transport,
    TransportError,
    Unreachable,
    WrongProtocol,
    receive_exactly,
    split_host,
    split_scheme,
)
from tests.blobs.transports import KINDS, PROTOCOL, Place, place, run

EVERY = pytest.mark.parametrize("kind", KINDS)
DEAD = {
    "memory": "memory://nobody",
    "tcp": "tcp://127.0.0.1:{port}",
    "iroh": f"iroh://{SecretKey.generate().public()}@127.0.0.1:{{port}}",
}


async def echo(stream: Stream) -> None:
    while data := await stream.receive(SEND_BYTES):
        await stream.send(data)


async def keep_sending(stream: Stream) -> None:
    for _ in range(100):
        await stream.send(b"x" * 10_000)
        await asyncio.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@EVERY
def test_bytes_of_any_size_arrive_in_order_both_ways(kind: str) -> None:
    async def test() -> None:
        async with place(kind) as here:
            listener = await here.transport().listen(echo)
            stream = await here.transport().dial(listener.address)
            draws = random.Random(1)
            pieces = [draws.randbytes(size) for size in (0, 1, 7, 300_000, 65_536, 2_000_000, 3)]

            async def send() -> None:
                for piece in pieces:
                    await stream.send(piece)

            sending = asyncio.create_task(send())
            whole = b"".join(pieces)
            assert await receive_exactly(stream, len(whole)) == whole
            await sending
            await stream.aclose()
            await listener.aclose()

    run(test)


@EVERY
def test_receive_gives_no_more_than_asked_for_and_nothing_after_the_end(kind: str) -> None:
    async def say(stream: Stream) -> None:
        await stream.send(b"0123456789")

    async def test() -> None:
        async with place(kind) as here:
            listener = await here.transport().listen(say)
            stream = await here.transport().dial(listener.address)
            assert await receive_exactly(stream, 3) == b"012"
            assert len(await stream.receive(4)) <= 4
            while await stream.receive(4):
                pass
            assert await stream.receive(4) == b""
            await stream.aclose()
            await listener.aclose()

    run(test)


@EVERY
def test_what_was_sent_before_closing_is_delivered(kind: str) -> None:
    async def say(stream: Stream) -> None:
        await stream.send(bytes(3_000_000))

    async def test() -> None:
        async with place(kind) as here:
            listener = await here.transport().listen(say)
            stream = await here.transport().dial(listener.address)
            await asyncio.sleep(0.2)
            assert await receive_exactly(stream, 3_000_000) == bytes(3_000_000)
            await stream.aclose()
            await listener.aclose()

    run(test)


@EVERY
def test_who_ends_too_early_is_said_to(kind: str) -> None:
    async def say(stream: Stream) -> None:
        await stream.send(b"12345")

    async def test() -> None:
        async with place(kind) as here:
            listener = await here.transport().listen(say)
            stream = await here.transport().dial(listener.address)
            with pytest.raises(StreamBroken, match="5 bytes before the end"):
                await receive_exactly(stream, 10)
            await stream.aclose()
            await listener.aclose()

    run(test)


@EVERY
def test_sending_waits_for_a_side_that_does_not_read(kind: str) -> None:
    never = asyncio.Event

    async def test() -> None:
        async def deaf(stream: Stream) -> None:
            await never().wait()

        async with place(kind) as here:
            listener = await here.transport().listen(deaf)
            stream = await here.transport().dial(listener.address)
            sent = 0
            with contextlib.suppress(TimeoutError):
                while sent < 400_000_000:
                    async with asyncio.timeout(0.5):
                        await stream.send(bytes(1_000_000))
                    sent += 1_000_000
            assert sent < 100_000_000  # what kernels and QUIC hold on the way
            await listener.aclose()
            await stream.aclose()

    run(test)


@EVERY
def test_nobody_at_an_address_is_said_soon(kind: str) -> None:
    async def test() -> None:
        async with place(kind) as here:
            with pytest.raises(Unreachable, match=r"Nobody listens|Cannot reach|did not answer"):
                await here.transport(connect_s=0.5).dial(DEAD[kind].format(port=free_port()))

    run(test)


@EVERY
def test_another_version_of_the_protocol_is_named(kind: str) -> None:
    async def test() -> None:
        async with place(kind) as here:
            listener = await here.transport("quiltwork-test/2").listen(echo)
            with pytest.raises(WrongProtocol, match=r"version|not 'quiltwork-test/1'"):
                await here.transport().dial(listener.address)
            stream = await here.transport("quiltwork-test/2").dial(listener.address)  # the listener lives on
            await stream.send(b"x")
            assert await stream.receive(1) == b"x"
            await stream.aclose()
            await listener.aclose()

    run(test)


@EVERY
def test_many_streams_at_once_do_not_mix(kind: str) -> None:
    async def test() -> None:
        async with place(kind) as here:
            listener = await here.transport().listen(echo)
            dialer = here.transport()

            async def one(number: int) -> None:
                stream = await dialer.dial(listener.address)
                said = bytes([number]) * 50_000
                await stream.send(said)
                assert await receive_exactly(stream, len(said)) == said
                await stream.aclose()

            await asyncio.gather(*(one(number) for number in range(12)))
            await listener.aclose()

    run(test)


@EVERY
def test_closing_the_listener_ends_the_streams_that_it_serves(kind: str) -> None:
    async def test() -> None:
        async with place(kind) as here:
            listener = await here.transport().listen(echo)
            stream = await here.transport().dial(listener.address)
            await stream.send(b"x")
            assert await stream.receive(1) == b"x"
            await listener.aclose()
            with contextlib.suppress(StreamBroken):  # what a hard end looks like
                assert await stream.receive(1) == b""
            with pytest.raises(StreamBroken):
                await keep_sending(stream)
            await stream.aclose()

    run(test)


@EVERY
def test_a_handler_that_is_left_alone_ends_when_its_caller_leaves(kind: str) -> None:
    async def test() -> None:
        ended = asyncio.Event()

        async def watched(stream: Stream) -> None:
            try:
                await echo(stream)
            finally:
                ended.set()

        async with place(kind) as here:
            listener = await here.transport().listen(watched)
            stream = await here.transport().dial(listener.address)
            await stream.send(b"x")
            assert await stream.receive(1) == b"x"
            await stream.aclose()
            await stream.aclose()
            await asyncio.wait_for(ended.wait(), 60)
            with pytest.raises(StreamBroken):
                await stream.send(b"x")
            await listener.aclose()

    run(test)


@EVERY
def test_waiting_can_be_cancelled(kind: str) -> None:
    async def test() -> None:
        async with place(kind) as here:
            listener = await here.transport().listen(echo)
            stream = await here.transport().dial(listener.address)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await stream.receive(1)
            await stream.aclose()
            await listener.aclose()

    run(test)


@EVERY
@pytest.mark.parametrize("text", ["", "host:1", "x://", "://host:1"])
def test_what_is_no_address_is_refused(kind: str, text: str) -> None:
    async def test() -> None:
        async with place(kind) as here:
            with pytest.raises(TransportError):
                await here.transport().dial(text)

    run(test)


def test_addresses_come_apart() -> None:
    assert split_scheme("tcp://a:1") == ("tcp", "a:1")
    assert split_host("[::1]:80") == ("::1", 80)
    assert split_host("host:0") == ("host", 0)
    for wrong in ("host", "host:", ":1", "host:70000", "host:-1", "host:٣"):
        with pytest.raises(TransportError, match="names no host and port"):
            split_host(wrong)


# TCP


def over_tcp(said: bytes) -> bytes:
    """What our listener answers to a stranger who says this."""
    answers: list[bytes] = []

    async def test() -> None:
        transport = TcpTransport(PROTOCOL, connect_s=0.5)
        listener = await transport.listen(echo)
        reader, writer = await asyncio.open_connection(*split_host(split_scheme(listener.address)[1]))
        writer.write(said)
        try:
            async with asyncio.timeout(60):
                answers.append(await reader.read())
        except ConnectionError:
            answers.append(b"")
        writer.close()
        await listener.aclose()

    run(test)
    return answers[0]


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" * 100, b"quiltwork-test/1"])
def test_a_stranger_of_another_kind_gets_our_preamble_and_the_door(said: bytes) -> None:
    assert over_tcp(said) in (PROTOCOL.encode() + b"\n", b"")


def test_a_web_server_is_told_apart_from_a_peer() -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def test() -> None:
        server = await asyncio.start_server(web, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(WrongProtocol, match=r"speaks 'HTTP/1\.1 400"):
            await TcpTransport(PROTOCOL).dial(f"tcp://127.0.0.1:{port}")
        server.close()

    run(test)


def test_a_listener_that_hangs_up_or_is_silent_is_unreachable() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def test() -> None:
        for behaviour, said in ((silent, "did not answer within 0.3 s"), (gone, "ended the connection at once|reset")):
            server = await asyncio.start_server(behaviour, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(Unreachable, match=said):
                await TcpTransport(PROTOCOL, connect_s=0.3).dial(f"tcp://127.0.0.1:{port}")
            server.close()

    run(test)


def test_a_caller_that_is_killed_before_it_says_a_word_is_no_failure_of_the_listener() -> None:
    async def test() -> None:
        failures: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        async with place("tcp") as here:
            listener = await here.transport().listen(echo)
            _, address = split_scheme(listener.address)
            caller = socket.create_connection(split_host(address))
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await asyncio.to_thread(caller.recv, 1)  # it has been let in
            caller.close()  # which resets the connection
            again = await here.transport().dial(listener.address)
            await again.send(b"word")
            assert await receive_exactly(again, 4) == b"word"
            await again.aclose()
            await listener.aclose()
        assert not failures

    run(test)


def test_a_port_that_is_taken_is_said() -> None:
    async def test() -> None:
        listener = await TcpTransport(PROTOCOL).listen(echo)
        port = split_host(split_scheme(listener.address)[1])[1]
        with pytest.raises(TransportError, match=f"Cannot listen on 127.0.0.1:{port}"):
            await TcpTransport(PROTOCOL, port=port).listen(echo)
        await listener.aclose()

    run(test)


def test_small_messages_are_not_held_back_and_dead_peers_are_noticed() -> None:
    async def test() -> None:
        listener = await TcpTransport(PROTOCOL).listen(echo)
        stream = await TcpTransport(PROTOCOL).dial(listener.address)
        connection = stream._writer.get_extra_info("socket")
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        await stream.aclose()
        await listener.aclose()

    run(test)


def test_a_congestion_control_that_the_kernel_lacks_is_an_error() -> None:
    async def test() -> None:
        listener = await TcpTransport(PROTOCOL, congestion="reno").listen(echo)
        stream = await TcpTransport(PROTOCOL, congestion="reno").dial(listener.address)
        used = stream._writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
        assert used.rstrip(b"\0") == b"reno"
        await stream.aclose()
        with pytest.raises(TransportError, match="congestion control 'no-such'"):
            await TcpTransport(PROTOCOL, congestion="no-such").dial(listener.address)
        await listener.aclose()

    run(test)


def test_others_are_told_the_host_that_we_advertise() -> None:
    async def test() -> None:
        listener = await TcpTransport(PROTOCOL, advertise="example.org").listen(echo)
        assert listener.address.startswith("tcp://example.org:")
        await listener.aclose()

    run(test)


# iroh


def test_iroh_proves_who_is_at_the_other_end() -> None:
    async def test() -> None:
        seen: list[str] = []

        async def note(stream: Stream) -> None:
            seen.append(stream.remote)
            await stream.send(b"!")

        key = SecretKey.generate()
        here = Place("iroh")
        listener = await here.transport(seed=key.to_bytes()).listen(note)
        dialer: Transport = here.transport()
        stream = await dialer.dial(listener.address)
        assert stream.remote == str(key.public())
        assert await stream.receive(1) == b"!"
        assert len(seen) == 1
        assert seen[0] != stream.remote
        await stream.aclose()
        impostor = listener.address.replace(str(key.public()), str(SecretKey.generate().public()))
        with pytest.raises(Unreachable):
            await dialer.dial(impostor)
        await listener.aclose()
        await here.aclose()

    run(test)


@pytest.mark.parametrize("text", ["iroh://hello@127.0.0.1:1", f"iroh://{'0' * 64}@nowhere"])
def test_an_iroh_address_that_makes_no_sense_is_said(text: str) -> None:
    async def test() -> None:
        with pytest.raises(TransportError, match="looks like"):
            await IrohTransport(PROTOCOL).dial(text)

    run(test)
