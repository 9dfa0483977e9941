def test_x(http, small_mars_mosaic):
    print(small_mars_mosaic.version.manifest)
    r=http.get("/mosaics/mars-strips/WMTSCapabilities.xml?tms=MarsEquidistantCylindricalSphere"); print(r.status_code, r.text[:6000], r.headers)
    for s in ("tms","wmts"):
        r=http.get("/mosaics/mars-strips/MarsEquidistantCylindricalSphere/gdal.xml",params={"service":s}); print(r.text)
