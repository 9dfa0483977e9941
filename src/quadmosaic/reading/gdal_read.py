"""What GDAL reads of one file: a picture, or its header; over the network through requests of our own."""

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Header
from quadmosaic.domain.trace import Tally
from quadmosaic.ports import ReadOptions
from quadmosaic.reading.access import Place
from quadmosaic.reading.faults import Unreadable
from quadmosaic.reading.fetch import CHANGED, Replaced, Unfit
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

    def picture(self, geobox: GeoBox, options: ReadOptions, header: Header | None) -> Picture:
        """Blocks. Raises Unreadable; where the header record is out of date, what the file says itself counts."""
        read = partial(read_raster, geobox=geobox, options=options, wanted=lambda: self.line.is_open)
        for known in (header, None):
            file = self._remote(known)
            if file is None:
                break
            try:
                return checked(file, read)
            except Replaced:
                continue
            except Unfit:
                break
        else:
            raise Unreadable(CHANGED, passing=True)
        if self.place.is_remote:
            self.line.call(partial(self.hosts.enter, self.place))
        return read(self.place)

    async def header(self, pool: Executor) -> Header:
        """The header record. Raises Unavailable, or Invalid (field "href")."""
        return await scan_place(self.place, pool, self._remote(None))

    def _remote(self, header: Header | None) -> RemoteFile | None:
        """The file as requests of our own bring it; None for a local one, and where they cannot reach it."""
        if self.place.store is None or not self.place.is_remote:
            return None
        return RemoteFile(self.place, self.line, header, hosts=self.hosts, total=self.tally)
