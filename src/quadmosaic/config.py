"""Settings: what the environment may say, each documented in docs/reference/settings.md."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class BucketSettings(BaseModel):
    """How to read a source bucket."""

    region: str = "us-west-2"
    mode: Literal["anonymous", "signed", "requester-pays"] = "anonymous"
    endpoint: str | None = None


class Settings(BaseSettings):
    """Read from `QUADMOSAIC_*` by the entry points only."""

    model_config = SettingsConfigDict(env_prefix="QUADMOSAIC_", extra="ignore")

    store: Annotated[str, Field(description="store URL: a folder, file:///folder, memory://, s3:// or dynamodb://")] = (
        "./quadmosaic-data"
    )
    buckets: Annotated[
        dict[str, BucketSettings], Field(description='JSON: source bucket -> {"region", "mode", "endpoint"}')
    ] = {"astrogeo-ard": BucketSettings()}
    allowed_hosts: Annotated[
        tuple[str, ...], NoDecode, Field(description="hosts, s3://buckets and file:///folders of sources")
    ] = ("s3://astrogeo-ard", "stac.astrogeology.usgs.gov", "astrogeology.usgs.gov")
    allow_private: Annotated[bool, Field(description="allow loopback and private addresses (development)")] = False
    tokens: Annotated[
        SecretStr | None, Field(description="write tokens as `quadmosaic tokens` prints them, or a secret's ARN")
    ] = None
    authority: Annotated[
        Literal["tokens", "gateway"], Field(description="who decides on writes: our tokens, or API Gateway")
    ] = "tokens"
    max_body_mb: Annotated[int, Field(ge=1, description="largest body of a request")] = 32
    max_items: Annotated[int, Field(ge=1, description="granules of one mosaic at the most")] = 250_000
    max_cells: Annotated[int, Field(ge=1, description="index cells of one mosaic at the most")] = 2_000_000
    recheck_days: Annotated[
        int, Field(ge=0, description="days after which builds ask whether a known file is still the same; 0: never")
    ] = 30
    build_wait_s: Annotated[float, Field(ge=0, description="seconds a request waits for its build")] = 20.0
    queue_url: Annotated[str | None, Field(description="SQS queue of builds; within the process when absent")] = None
    schedules: Annotated[
        str | None, Field(description="group,target,role of EventBridge Scheduler; within the process when absent")
    ] = None
    cache_mb: Annotated[int, Field(ge=1, description="memory for look-ups")] = 128
    block_cache_mb: Annotated[int, Field(ge=1, description="memory for decoded blocks")] = 128
    max_granules: Annotated[int, Field(ge=1, description="granules read for one image at the most")] = 64
    max_reads: Annotated[int, Field(ge=1, description="files that GDAL reads at once, over all images")] = 8
    max_requests: Annotated[
        int, Field(ge=1, description="byte ranges fetched at once from one bucket or host, over all images")
    ] = 128
    tile_deadline_s: Annotated[float, Field(gt=0, description="seconds after which an image is drawn as it is")] = 20.0
    head_ttl_s: Annotated[float, Field(ge=0, description="seconds a head may be remembered")] = 5.0
    cors_origins: Annotated[
        tuple[str, ...], NoDecode, Field(description="origins that may use the maps, comma-separated")
    ] = ("*",)
    public_url: Annotated[
        str | None, Field(description="address of the service for its users, where a CDN or a proxy stands before it")
    ] = None
    viewer_assets: Annotated[
        str | None, Field(description="folder with ol and proj4 (a node_modules), instead of the CDN")
    ] = None
    log_level: Annotated[str, Field(description="level of the log")] = "INFO"

    @field_validator("cors_origins", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
