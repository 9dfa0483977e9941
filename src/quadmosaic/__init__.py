"""quadmosaic: a serverless tiler and mosaic store for planetary imagery."""
