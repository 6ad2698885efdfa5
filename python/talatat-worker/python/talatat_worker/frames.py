"""Messages between the driver and its helper: a small header, then raw frames."""

import json
import socket
import struct
import threading

# The driver's side is cluster/src/wire/frame.rs.
PROTOCOL = 2
_LENGTH = struct.Struct("<I")
_HEADER = 1 << 28


class Channel:
    """One end of the socket. Reading is for one thread, writing for any."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
        self._socket.connect(path)
        self._writing = threading.Lock()

    def receive(self):
        """The next message and its frames; `None` when the driver has gone."""
        length = self._read(_LENGTH.size)
        if length is None:
            return None
        (length,) = _LENGTH.unpack(length)
        if length > _HEADER:
            raise ValueError(f"a header of {length} bytes")
        header = self._read(length)
        if header is None:
            return None
        message = json.loads(bytes(header))
        frames = []
        for size in message.pop("frames", ()):
            frame = self._read(size)
            if frame is None:
                return None
            frames.append(frame)
        return message, frames

    def send(self, message, frames=()):
        """Sends a message; each frame is a list of buffers, which are not copied."""
        frames = [[memoryview(piece).cast("B") for piece in frame] for frame in frames]
        if frames:
            message = {**message, "frames": [sum(piece.nbytes for piece in frame) for frame in frames]}
        header = json.dumps(message).encode()
        with self._writing:
            self._socket.sendall(_LENGTH.pack(len(header)) + header)
            for frame in frames:
                for piece in frame:
                    self._socket.sendall(piece)

    def _read(self, size):
        data = bytearray(size)
        view = memoryview(data)
        while view:
            count = self._socket.recv_into(view)
            if count == 0:
                return None
            view = view[count:]
        return data
