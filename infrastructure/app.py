"""The CDK application: `cdk deploy` and `cdk synth` run it, and so can `python infrastructure/app.py`."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

if __name__ == "__main__":
    # As a script Python looks beside this file, where names like `tokens` are ours.
    sys.path[0] = str(Path(__file__).parents[1])

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from infrastructure.bundling.faults import BundleFault
from infrastructure.option_values import parse_options
from infrastructure.stack import QuadmosaicStack
from quadmosaic.domain.errors import Invalid

FLAGS = {"@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True}
"""Here rather than in cdk.json, so that the template is the same with the CDK's command and without it."""


def build(app: App, environment: Mapping[str, str]) -> QuadmosaicStack:
    """The stack in an application, checked by cdk-nag. Raises Invalid for an option that cannot be."""
    context = app.node.get_all_context()
    stack = QuadmosaicStack(app, options=parse_options(context, environment))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
    return stack


def main() -> None:
    """Synthesise into cdk.out, or where the CDK says."""
    app = App(context=FLAGS, analytics_reporting=False, outdir=os.environ.get("CDK_OUTDIR", "cdk.out"))
    try:
        build(app, os.environ)
    except Invalid as error:
        sys.exit(f"option {error.field}: {error.message}")
    except BundleFault as error:
        sys.exit(str(error))
    app.synth()


if __name__ == "__main__":
    main()
