"""IAM before moto, which does not look at resources and conditions: each request is judged by its role's policy."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, unquote

from intrinsics import ACCOUNT, REGION

type Statement = Mapping[str, Any]
type Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/")
_SCHEDULES = {"POST": "CreateSchedule", "PUT": "UpdateSchedule", "DELETE": "DeleteSchedule", "GET": "GetSchedule"}
_OBJECTS = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject", "DELETE": "DeleteObject"}


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody wants to do to one resource, and what else IAM would know."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


def allows(statements: Sequence[Statement], act: Act) -> bool:
    """Does a policy allow it? Raises ValueError for what these policies do not hold."""
    return any(_applies(statement, act) for statement in statements)


def _applies(statement: Statement, act: Act) -> bool:
    if statement["Effect"] != "Allow" or {"NotAction", "NotResource"} & statement.keys():
        raise ValueError(statement)
    actions, resources = (_listed(statement[key]) for key in ("Action", "Resource"))
    if not any(fnmatchcase(act.action.lower(), action.lower()) for action in actions):
        return False
    if not any(fnmatchcase(act.resource, resource) for resource in resources):
        return False
    context = dict(act.context)
    for operator, wanted in statement.get("Condition", {}).items():
        if operator != "StringEquals":
            raise ValueError(operator)
        if any(context.get(key) not in _listed(values) for key, values in wanted.items()):
            return False
    return True


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


@dataclass(kw_only=True)
class Guard:
    """`policies` are by access key; a key without one is an administrator's. What was judged is kept."""

    policies: dict[str, Sequence[Statement]] = field(default_factory=dict)
    done: set[tuple[str, Act]] = field(default_factory=set)
    refused: list[tuple[str, Act]] = field(default_factory=list)

    def before(self, application: Wsgi) -> Wsgi:
        """The application for those who may."""

        def judged(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
            role, service = (found[1], found[2]) if found else ("nobody", "s3")
            if role in self.policies or not found:
                for act in acts(service, environ):
                    if not allows(self.policies.get(role, ()), act):
                        self.refused.append((role, act))
                        return _denied(service, act, start_response)
                    self.done.add((role, act))
            return application(environ, start_response)

        return judged


def acts(service: str, environ: dict[str, Any]) -> list[Act]:
    """What a request to AWS does."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    match service:
        case "dynamodb":
            told = json.loads(body)
            tables = told.get("RequestItems") or [told["TableName"]]
            return [Act(f"dynamodb:{operation}", _arn("dynamodb", f"table/{table}")) for table in tables]
        case "sqs":
            return [Act(f"sqs:{operation}", _arn("sqs", json.loads(body)["QueueUrl"].rpartition("/")[2]))]
        case "secretsmanager":
            return [Act(f"secretsmanager:{operation}", json.loads(body)["SecretId"])]
        case "scheduler":
            return _scheduled(method, path, query, body)
        case "s3":
            return _stored(method, path, query, body)
    raise ValueError(service)


def _scheduled(method: str, path: str, query: Mapping[str, list[str]], body: bytes) -> list[Act]:
    told = json.loads(body) if body else {}
    group = told.get("GroupName") or query["groupName"][0]
    entry = _arn("scheduler", f"schedule/{group}/{unquote(path).rpartition('/')[2]}")
    own = Act(f"scheduler:{_SCHEDULES[method]}", entry)
    if "Target" not in told:
        return [own]
    return [own, Act("iam:PassRole", told["Target"]["RoleArn"], (("iam:PassedToService", "scheduler.amazonaws.com"),))]


def _stored(method: str, path: str, query: Mapping[str, list[str]], body: bytes) -> list[Act]:
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    if not key and "delete" in query:
        keys = re.findall(r"<Key>(.*?)</Key>", body.decode())
        return [Act("s3:DeleteObject", f"arn:aws:s3:::{bucket}/{each}") for each in keys]
    if not key:
        return [Act("s3:ListBucket" if method in ("GET", "HEAD") else "s3:PutBucket", f"arn:aws:s3:::{bucket}")]
    return [Act(f"s3:{_OBJECTS[method]}", f"arn:aws:s3:::{bucket}/{key}")]


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def _denied(service: str, act: Act, start_response: Any) -> list[bytes]:
    words = f"not authorized to perform {act.action} on {act.resource}"
    if service == "s3":
        start_response("403 Forbidden", [("Content-Type", "application/xml")])
        return [f"<Error><Code>AccessDenied</Code><Message>{words}</Message></Error>".encode()]
    headers = [("Content-Type", "application/x-amz-json-1.0"), ("x-amzn-ErrorType", "AccessDeniedException")]
    start_response("400 Bad Request" if service == "dynamodb" else "403 Forbidden", headers)
    return [json.dumps({"__type": "AccessDeniedException", "message": words}).encode()]
