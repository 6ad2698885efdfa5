"""A unit's outputs as Dask sees them."""

from dask.sizeof import sizeof
from distributed.protocol.serialize import dask_deserialize, dask_serialize


class Bundle:
    """Values of Rust where a unit made them; where they have been received, their bytes until a unit reads them."""

    __slots__ = ("_values", "_frames")

    def __init__(self, values=None, frames=None):
        self._values = values
        self._frames = frames

    def values(self):
        """The values, read from bytes if they have come from elsewhere."""
        values = self._values
        if values is None:
            from .extension import extension

            values = extension().process.values(self._frames)
            # In this order: another thread may be here, too.
            self._values = values
            self._frames = None
        return values

    def frames(self):
        """For each value the buffers that its bytes are in, one after the other."""
        frames = self._frames
        return self._values.frames() if frames is None else frames

    def pick(self, outputs):
        """Some of the outputs, shared."""
        frames = self._frames
        if frames is not None:
            return Bundle(frames=[frames[at] for at in outputs])
        return Bundle(values=self._values.pick(outputs))

    def sizes(self):
        """How large each of the outputs is, in bytes that the driver reads."""
        return self.values().sizes()

    @property
    def nbytes(self):
        """Bytes of memory."""
        frames = self._frames
        return self._values.nbytes if frames is None else sum(memoryview(piece).nbytes for frame in frames for piece in frame)

    def __len__(self):
        frames = self._frames
        return len(self._values if frames is None else frames)


@sizeof.register(Bundle)
def _sizeof(bundle):
    return 64 + bundle.nbytes


@dask_serialize.register(Bundle)
def _serialize(bundle):
    frames = bundle.frames()
    # Dask leaves out what is empty; so do we, to know what comes back.
    frames = [[view for piece in frame if (view := memoryview(piece)).nbytes] for frame in frames]
    return {"pieces": [len(frame) for frame in frames]}, [piece for frame in frames for piece in frame]


@dask_deserialize.register(Bundle)
def _deserialize(header, frames):
    rest = iter(frames)
    return Bundle(frames=[[next(rest) for _ in range(count)] for count in header["pieces"]])
