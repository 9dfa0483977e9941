"""The stack: everything that serves maps and keeps mosaics, from one set of options."""

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from infrastructure.alarms import Alarms
from infrastructure.builder import Builder
from infrastructure.builds import Builds
from infrastructure.cdn import Cdn
from infrastructure.daily_cost import daily_cost
from infrastructure.dashboard import dashboard
from infrastructure.gateway import Gateway
from infrastructure.options import Options
from infrastructure.registry import Registry
from infrastructure.schedules import Schedules
from infrastructure.storage import Storage
from infrastructure.tiler import Tiler
from infrastructure.tokens import tokens_secret
from infrastructure.writers import writers_policy


class QuadmosaicStack(Stack):
    """Account and region are those that it is deployed with."""

    def __init__(self, scope: Construct, *, options: Options) -> None:
        super().__init__(
            scope,
            options.name,
            description="quadmosaic: tiles and mosaics of planetary imagery",
            termination_protection=options.keep_data,
        )
        self.options = options
        self.storage = Storage(self, "Storage", options=options)
        self.builds = Builds(self, "Builds")
        self.schedules = Schedules(self, "Schedules", builds=self.builds)
        self.tokens = tokens_secret(self, "Tokens") if options.authority == "tokens" else None
        self.gateway = Gateway(self, "Gateway", options=options)
        self.cdn = (
            Cdn(self, "Cdn", options=options, gateway=self.gateway, storage=self.storage) if options.cdn else None
        )
        public_url = self.cdn.url if self.cdn else None
        self.tiler = Tiler(self, "Tiler", options=options, storage=self.storage, public_url=public_url)
        self.registry = Registry(
            self,
            "Registry",
            options=options,
            storage=self.storage,
            builds=self.builds,
            schedules=self.schedules,
            tokens=self.tokens,
            public_url=public_url,
        )
        self.builder = Builder(self, "Builder", options=options, storage=self.storage, builds=self.builds)
        self.gateway.serve(tiler=self.tiler, registry=self.registry)
        self.writers = writers_policy(self, "Writers", gateway=self.gateway) if options.authority == "iam" else None
        self._watch()
        self._outputs()

    def _watch(self) -> None:
        functions = {"tiler": self.tiler, "registry": self.registry, "builder": self.builder}
        table = self.storage.table
        cost = daily_cost(options=self.options, functions=functions, gateway=self.gateway, table=table)
        alarms = Alarms(
            self,
            "Alarms",
            options=self.options,
            gateway=self.gateway,
            functions=functions,
            builds=self.builds,
            table=table,
            cost=cost,
        )
        dashboard(
            self,
            "Dashboard",
            gateway=self.gateway,
            functions=functions,
            builds=self.builds,
            table=table,
            alarms=alarms,
            cost=cost,
            distribution=self.cdn.distribution if self.cdn else None,
        )

    def _outputs(self) -> None:
        api = self.gateway.api.api_endpoint
        public = self.cdn.url if self.cdn else api
        outputs = {
            "TileUrl": f"{public}/mosaics/{{mosaic}}/tiles/{{tms}}/{{z}}/{{x}}/{{y}}",
            "PublicUrl": public,
            "ApiUrl": api,
            "TableName": self.storage.table.table_name,
            "BucketName": self.storage.bucket.bucket_name,
            "QueueUrl": self.builds.queue.queue_url,
            "DeadQueueUrl": self.builds.dead.queue_url,
            "TilerFunction": self.tiler.function.function_name,
            "RegistryFunction": self.registry.function.function_name,
            "BuilderFunction": self.builder.function.function_name,
            "BuilderEventSource": self.builder.messages.event_source_mapping_id,
        }
        if self.cdn is not None:
            outputs["CdnDomain"] = self.cdn.distribution.distribution_domain_name
        if self.tokens is not None:
            outputs["TokensSecret"] = self.tokens.secret_arn
        if self.writers is not None:
            outputs["WritersPolicy"] = self.writers.managed_policy_arn
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
