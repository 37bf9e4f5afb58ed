"""A request's body at a host: what of it has come, and what has gone up."""


class Body:
    """`is_expected`: some of it, or at least its end, is still to come."""

    def __init__(self, is_expected=False):
        self.come = bytearray()
        self.trailers = None  # pairs; of them all has come
        self.is_complete = not is_expected
        self.up = bytearray()
        self.has_ended = not is_expected  # its end has gone up, too
        # The rest is Envoy's. Its end went up before it.
        self.is_lost = False
        # The decoding buffer: what has come while the filter answers Pause.
        self.buffer = bytearray()
        self.is_buffering = False
        # The piece of the callback that runs.
        self.piece = None
        # What has come while the headers stop all, if anything has.
        self.withheld = None

    def add(self, data, is_last):
        self.come += data
        self.is_complete = is_last

    def withhold(self, data):
        self.withheld = (self.withheld or bytearray()) + data

    @property
    def shown(self):
        """What of it Envoy lets the filter read."""
        return self.buffer if self.is_buffering else self.piece or b""

    def send_buffer(self):
        self.up += self.buffer
        self.buffer = bytearray()
        self.is_buffering = False
