"""What GDAL reads of one file: a picture, or its header; over the network through requests of our own."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Header
from quadmosaic.domain.trace import Tally
from quadmosaic.ports import ReadOptions
from quadmosaic.reading.access import Place
from quadmosaic.reading.faults import Replaced, Unfit, Unreadable
from quadmosaic.reading.fetch import CHANGED
from quadmosaic.reading.gates import HostGates
from quadmosaic.reading.line import Line
from quadmosaic.reading.pictures import Picture
from quadmosaic.reading.remote_file import RemoteFile, checked
from quadmosaic.reading.scan import scan_place
from quadmosaic.reading.warp import read_raster


@dataclass(frozen=True, kw_only=True, slots=True)
class GdalRead:
    """One read of one file; `tally` counts what it took."""

    place: Place
    line: Line
    hosts: HostGates
    tally: Tally

    def picture(
        self, geobox: GeoBox, options: ReadOptions, header: Header | None, *, on_replaced: Callable[[], object]
    ) -> Picture:
        """Blocks. Raises Unreadable; where the header record is out of date, what the file says itself counts.

        `on_replaced` is called on the event loop then.
        """
        read = partial(read_raster, geobox=geobox, options=options, wanted=lambda: self.line.is_open)
        if not self.place.is_remote:
            return read(self.place)
        for known in (header, None):
            try:
                return checked(self._remote(known), read)
            except Replaced:
                if known is not None:
                    self.line.note(on_replaced)
            except Unfit:
                continue
        raise Unreadable(CHANGED, passing=True)

    async def header(self, pool: Executor) -> Header:
        """The header record. Raises Unavailable, or Invalid (field "href")."""
        return await scan_place(self.place, pool, self._remote(None) if self.place.is_remote else None)

    def _remote(self, header: Header | None) -> RemoteFile:
        """The file as requests of our own bring it."""
        return RemoteFile(self.place, self.line, header, hosts=self.hosts, total=self.tally)
