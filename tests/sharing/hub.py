"""Stand-in of the Hugging Face hub: the part of its HTTP API that makes, fills, lists and serves repositories."""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_owner"


@dataclass
class Repo:
    """Branches lead to commits, commits hold files by path; a path maps to its content and whether it is in LFS."""

    private: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, tuple[bytes, bool]]] = field(default_factory=dict)

    def commit(self, branch: str, files: dict[str, tuple[bytes, bool]]) -> str:
        content = sorted((path, hashlib.sha1(data).hexdigest()) for path, (data, _) in files.items())
        name = hashlib.sha1(json.dumps([len(self.commits), content]).encode()).hexdigest()
        self.commits[name] = files
        self.branches[branch] = name
        return name

    def files(self, revision: str) -> tuple[str, dict[str, tuple[bytes, bool]]]:
        name = self.branches.get(revision, revision)
        return name, self.commits[name]


class Hub:
    """A server in a thread. status: if set, the answer to every request; asked: methods and paths of all requests."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.status: int | None = None
        self.sizes: dict[str, int] = {}  # sizes that listings state instead of the true ones
        hub = self

        class Handler(Answers):
            def __init__(self, *arguments: Any) -> None:
                self.hub = hub
                super().__init__(*arguments)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def put(self, repo: str, path: str, content: bytes) -> None:
        """Another commit on main, in which this file has this content."""
        held = self.repos[repo]
        held.commit("main", {**held.files("main")[1], path: (content, False)})

    def downloads(self) -> set[str]:
        """Paths of all files whose content was served."""
        served = [line for line in self.asked if line.startswith("GET /") and "/resolve/" in line]
        return {line.split("/resolve/")[1].split("/", 1)[1] for line in served}


class Answers(BaseHTTPRequestHandler):
    """The routes: (method, pattern of the path) and the function that answers."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Keep requests out of the output of the tests."""

    def do_GET(self) -> None:
        self.route()

    do_HEAD = do_POST = do_PUT = do_GET

    def route(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.hub.status is not None:
            return self.json({"error": "out of order"}, self.hub.status)
        routes = [
            ("POST", r"/api/repos/create", self.create),
            ("POST", r"/api/validate-yaml", self.validate),
            ("POST", r"/api/models/([^/]+/[^/]+)/branch/(.+)", self.branch),
            ("POST", r"/api/models/([^/]+/[^/]+)/preupload/(.+)", self.preupload),
            ("POST", r"/api/models/([^/]+/[^/]+)/commit/(.+)", self.commit),
            ("POST", r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", self.batch),
            ("PUT", r"/objects/(\w+)", self.upload),
            ("GET", r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", self.tree),
            ("GET", r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", self.info),
            ("(?:GET|HEAD)", r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.resolve),
        ]
        for method, pattern, answer in routes:
            found = re.fullmatch(pattern, path)
            if found and re.fullmatch(method, self.command):
                return answer(*found.groups())
        return self.json({"error": f"no route {self.command} {path}"}, 501)

    def json(self, content: Any, status: int = 200, **headers: str) -> None:
        self.send(json.dumps(content).encode(), status, {"Content-Type": "application/json", **headers})

    def send(self, content: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def refuse(self, status: int, code: str) -> None:
        self.json({"error": code}, status, **{"X-Error-Code": code, "X-Error-Message": code})

    @property
    def owner(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def repo(self, name: str) -> Repo | None:
        """The repository; answers itself, like the hub, where there is none for this token."""
        held = self.hub.repos.get(name)
        if held is None or (held.private and not self.owner):
            self.refuse(404 if self.owner else 401, "RepoNotFound")
            return None
        return held

    def create(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        if not self.owner:
            return self.json({"error": "Invalid username or password."}, 401)
        if name in self.hub.repos:
            return self.json({"error": "exists", "url": f"{self.hub.url}/{name}"}, 409)
        made = self.hub.repos[name] = Repo(asked.get("visibility") == "private")
        made.commit("main", {".gitattributes": (b"*.safetensors filter=lfs\n", False)})
        return self.json({"url": f"{self.hub.url}/{name}", "name": name})

    def validate(self) -> None:
        """As the hub: a block of YAML between two lines of dashes, whose licence is text."""
        import yaml

        content = json.loads(self.body)["content"]
        found = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
        metadata = yaml.safe_load(found[1]) if found else None
        if not isinstance(metadata, dict) or not isinstance(metadata.get("license"), str):
            return self.json({"errors": [{"message": '"license" must be a string'}], "warnings": []}, 400)
        return self.json({"errors": [], "warnings": []})

    def branch(self, name: str, branch: str) -> None:
        held = self.repo(name)
        if held is None:
            return None
        if branch in held.branches:
            return self.json({"error": "exists"}, 409)
        held.branches[branch] = held.branches["main"]
        return self.json({})

    def preupload(self, name: str, _revision: str) -> None:
        paths = [file["path"] for file in json.loads(self.body)["files"]]
        modes = {path: "lfs" if path.endswith(".safetensors") else "regular" for path in paths}
        answers = [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes.items()]
        return self.json({"files": answers})

    def batch(self, _name: str) -> None:
        objects = [
            {**each, "actions": {"upload": {"href": f"{self.hub.url}/objects/{each['oid']}"}}}
            for each in json.loads(self.body)["objects"]
        ]
        return self.json({"transfer": "basic", "objects": objects})

    def upload(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            return self.json({"error": "checksum"}, 400)
        self.hub.objects[oid] = self.body
        return self.json({})

    def commit(self, name: str, revision: str) -> None:
        held = self.repo(name)
        if held is None:
            return None
        if not self.owner:
            return self.json({"error": "forbidden"}, 403)
        files = dict(held.files(revision)[1])
        for line in self.body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = (base64.b64decode(value["content"]), False)
            elif entry["key"] == "lfsFile":
                files[value["path"]] = (self.hub.objects[value["oid"]], True)
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        made = held.commit(revision, files)
        return self.json({"commitUrl": f"{self.hub.url}/{name}/commit/{made}", "commitOid": made})

    def info(self, name: str, revision: str | None) -> None:
        held = self.repo(name)
        if held is None:
            return None
        try:
            commit, files = held.files(revision or "main")
        except KeyError:
            return self.refuse(404, "RevisionNotFound")
        siblings = [{"rfilename": path, "size": self.size(path, data)} for path, (data, _) in files.items()]
        return self.json({"id": name, "sha": commit, "private": held.private, "siblings": siblings})

    def tree(self, name: str, revision: str) -> None:
        held = self.repo(name)
        if held is None:
            return None
        entries: list[dict[str, Any]] = []
        for path, (data, large) in held.files(revision)[1].items():
            entry = {"type": "file", "path": path, "size": self.size(path, data), "oid": hashlib.sha1(data).hexdigest()}
            if large:
                oid = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 130}
            entries.append(entry)
        return self.json(entries)

    def size(self, path: str, data: bytes) -> int:
        return self.hub.sizes.get(path, len(data))

    def resolve(self, name: str, revision: str, path: str) -> None:
        held = self.repo(name)
        if held is None:
            return None
        commit, files = held.files(revision)
        if path not in files:
            return self.refuse(404, "EntryNotFound")
        data, large = files[path]
        digest = (hashlib.sha256 if large else hashlib.sha1)(data).hexdigest()
        return self.send(data, 200, {"ETag": f'"{digest}"', "X-Repo-Commit": commit})
