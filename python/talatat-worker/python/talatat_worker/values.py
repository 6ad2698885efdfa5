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
        """A buffer for each value."""
        frames = self._frames
        return self._values.frames() if frames is None else frames

    def pick(self, outputs):
        """Some of the outputs, shared."""
        frames = self._frames
        if frames is not None:
            return Bundle(frames=[frames[at] for at in outputs])
        return Bundle(values=self._values.pick(outputs))

    @property
    def nbytes(self):
        """Bytes of memory."""
        frames = self._frames
        return self._values.nbytes if frames is None else sum(memoryview(frame).nbytes for frame in frames)

    def __len__(self):
        frames = self._frames
        return len(self._values if frames is None else frames)


@sizeof.register(Bundle)
def _sizeof(bundle):
    return 64 + bundle.nbytes


@dask_serialize.register(Bundle)
def _serialize(bundle):
    return {}, bundle.frames()


@dask_deserialize.register(Bundle)
def _deserialize(header, frames):
    return Bundle(frames=list(frames))
